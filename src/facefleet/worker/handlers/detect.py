"""Handles ``detect``: finds the faces of a photo and says what each can be used for."""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.engine.faces_json import faces_to_json
from facefleet.engine.photo_role import IMAGE, naming_photo
from facefleet.options import DetectOptions
from facefleet.storage.store import Store
from facefleet.worker.inputs import load_image
from facefleet.worker.outcome import Outcome
from facefleet.worker.run import Run


@dataclass(frozen=True, slots=True)
class DetectHandler:
    """Finds the faces of a photo; a photo without a face is no error."""

    store: Store

    def __call__(self, run: Run) -> Outcome:
        """The photo's size and its faces as JSON."""
        options = DetectOptions.of_json(run.task.options)
        with run.timings.timed("load"):
            image = load_image(self.store, run.task)
        with run.timings.timed("faces"), naming_photo(IMAGE):
            faces = run.engine.faces(image, tiles=options.tiles)
        return Outcome(output=faces_to_json(faces))
