"""Writes the faces of a photo as JSON: for the record, the API's answers and the command line alike."""

from __future__ import annotations

from facefleet.engine.steps.gate import fitness, not_sought
from facefleet.engine.types import Face, Faces


def faces_to_json(faces: Faces) -> dict[str, object]:
    """The photo's size, and of each face where it is and what it can be used for; px and degrees with one decimal.

    Where faces that a fusion could use were not looked for, ``smallest_sought`` says how large those are that were.
    """
    size = {"width": faces.width, "height": faces.height}
    told: dict[str, object] = {
        "image": size, "faces": [face_to_json(face) | _usability(face, faces) for face in faces.faces],
    }  # fmt: skip
    return told | ({"smallest_sought": _tenth(faces.smallest)} if not_sought(faces) else {})


def face_to_json(face: Face) -> dict[str, object]:
    """Where a face is: index, box, score, head pose and five points."""
    box, pose = face.box, face.pose
    return {
        "index": face.index,
        "box": {side: _tenth(getattr(box, side)) for side in ("x", "y", "width", "height")},
        "score": round(float(face.score), 4),
        "pose": {"yaw": _tenth(pose.yaw), "pitch": _tenth(pose.pitch), "roll": _tenth(pose.roll)},
        "landmarks5": [[_tenth(x), _tenth(y)] for x, y in face.landmarks5.tolist()],
    }


def _usability(face: Face, faces: Faces) -> dict[str, object]:
    fit = fitness(face, faces)
    return {"usable_as_source": fit.source, "usable_as_target": fit.target, "reasons": list(fit.reasons)}


def _tenth(value: float) -> float:
    return round(float(value), 1)
