"""Handles ``template``: finds the faces of a target that many fusions will use, and keeps it prepared for them."""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.clock import Clock
from facefleet.engine.faces_json import faces_to_json
from facefleet.engine.photo_role import IMAGE, naming_photo
from facefleet.errors.input import FaceNotFound
from facefleet.storage.store import Store
from facefleet.tasks.templates import made_ready
from facefleet.worker.inputs import load_template
from facefleet.worker.outcome import Outcome
from facefleet.worker.run import Run


@dataclass(frozen=True, slots=True)
class TemplateHandler:
    """Prepares the photo of a template and marks the template as ready, together with the success of the task."""

    store: Store
    clock: Clock

    def __call__(self, run: Run) -> Outcome:
        """The photo's size and its faces as JSON.

        Raises:
            FaceNotFound: The photo has no face to fuse into.
            TemplateNotFound: The template was deleted meanwhile.
        """
        task = run.task
        assert task.template is not None  # noqa: S101 - a task of this kind registers one
        with run.timings.timed("load"):
            image = load_template(self.store, task.tenant, task.template)
        with run.timings.timed("faces"), naming_photo(IMAGE):
            faces = run.engine.prepare_target(image, tell=run.judge)
            if not faces.faces:
                raise FaceNotFound("No face was found in the photo; use one that shows a face.", image=IMAGE)
        output = faces_to_json(faces)
        return Outcome(output=output, beside=[made_ready(task, output, self.clock())])
