"""``detect`` and ``template``: which faces a photo has, and what each can be used for."""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.clock import Clock
from facefleet.engine.about import IMAGE, about
from facefleet.engine.fusion import Engine
from facefleet.engine.steps.gate import fitness
from facefleet.engine.types import Face, Faces
from facefleet.errors.input import FaceNotFound
from facefleet.storage.store import Store
from facefleet.tasks.task import Json
from facefleet.tasks.templates import made_ready
from facefleet.worker.handlers.fuse import load_template
from facefleet.worker.leases import Hold
from facefleet.worker.outcome import Outcome, Timings


@dataclass(frozen=True, slots=True)
class Finding:
    """Finds the faces of a photo; none is no error."""

    store: Store
    engine: Engine

    def __call__(self, hold: Hold, timings: Timings) -> Outcome:
        """The work of ``detect``."""
        task = hold.task
        with timings.timed("load"):
            image = self.store.get(task.inputs["image"])
        with timings.timed("faces"), about(IMAGE):
            faces = self.engine.faces(image, tiles=bool(task.options.get("tiles")))
        return Outcome(output=document(faces))


@dataclass(frozen=True, slots=True)
class Registering:
    """Finds the faces of a target that many fusions will use, and keeps it ready for them."""

    store: Store
    engine: Engine
    clock: Clock

    def __call__(self, hold: Hold, timings: Timings) -> Outcome:
        """The work of ``template``.

        Raises:
            FaceNotFound: There is nothing to fuse into.
        """
        task = hold.task
        with timings.timed("load"):
            image = load_template(self.store, task)
        with timings.timed("faces"), about(IMAGE):
            faces = self.engine.prepare_target(image)
            if not faces.faces:
                raise FaceNotFound("No face was found in the photo; use one that shows a face.", image=IMAGE)
        output = document(faces)
        return Outcome(output=output, beside=[made_ready(task, output, self.clock())])


def document(faces: Faces) -> Json:
    """The faces of a photo as JSON: px and degrees with one decimal."""
    size = {"width": faces.width, "height": faces.height}
    return {"image": size, "faces": [face_row(face) | _use(face, faces) for face in faces.faces]}


def face_row(face: Face) -> dict[str, object]:
    """Where a face is."""
    box, pose = face.box, face.pose
    return {
        "index": face.index,
        "box": {side: _tenth(getattr(box, side)) for side in ("x", "y", "width", "height")},
        "score": round(float(face.score), 4),
        "pose": {"yaw": _tenth(pose.yaw), "pitch": _tenth(pose.pitch), "roll": _tenth(pose.roll)},
        "landmarks5": [[_tenth(x), _tenth(y)] for x, y in face.landmarks5.tolist()],
    }


def _use(face: Face, faces: Faces) -> dict[str, object]:
    fit = fitness(face, faces)
    return {"usable_as_source": fit.source, "usable_as_target": fit.target, "reasons": list(fit.reasons)}


def _tenth(value: float) -> float:
    return round(float(value), 1)
