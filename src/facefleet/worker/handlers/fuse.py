"""``fuse``: load the photos, fuse them, mark the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from facefleet.assignments import SOURCE_ROLES, FaceAssignment
from facefleet.engine.about import TARGET
from facefleet.engine.fusion import Engine
from facefleet.engine.types import FuseOptions, Fusion
from facefleet.errors.base import FacefleetError
from facefleet.errors.lookup import TemplateNotFound
from facefleet.errors.task import ObjectMissing
from facefleet.observability.metrics import Metrics
from facefleet.observability.tracing import laps
from facefleet.safety.labels import mark
from facefleet.storage.keys import template_key
from facefleet.storage.store import Store
from facefleet.tasks.task import Json, Task
from facefleet.worker.leases import Hold
from facefleet.worker.outcome import Outcome, Timings


@dataclass(frozen=True, slots=True)
class Fusing:
    """Fuses.

    Attributes:
        producer: Provider's name in the marks.
    """

    store: Store
    engine: Engine
    metrics: Metrics
    producer: str

    def __call__(self, hold: Hold, timings: Timings) -> Outcome:
        """The work of a fusion."""
        task = hold.task
        with timings.timed("load"):
            source, *more = (self.store.get(task.inputs[role]) for role in SOURCE_ROLES if role in task.inputs)
            target = load_template(self.store, task) if task.template else self.store.get(task.inputs["target"])
        with _as_asked(task):
            fusion = self.engine.fuse(
                source, target, _options(task), more_sources=more, keep_target=task.template is not None,
                checkpoint=laps("engine", hold.check),
            )  # fmt: skip
        self._count(fusion.known)
        timings.ms |= fusion.timings_ms
        with timings.timed("mark"):
            image = mark(fusion.image, fusion.media_type, producer=self.producer, content_id=task.id)
        return Outcome(image, fusion.media_type, _output(fusion))

    def _count(self, known: Mapping[str, bool]) -> None:
        for role, hit in known.items():
            photo = "target" if role == "target" else "source"
            self.metrics.prepared.labels(photo, "hit" if hit else "miss").inc()


def load_template(store: Store, task: Task) -> bytes:
    """The photo of the template that a task names.

    Raises:
        TemplateNotFound: It was deleted meanwhile.
    """
    assert task.template is not None  # noqa: S101 - its callers have looked
    try:
        return store.get(template_key(task.tenant, task.template))
    except ObjectMissing:
        raise TemplateNotFound(
            "The template was deleted meanwhile.", template_id=task.template, field="template_id"
        ) from None


@contextmanager
def _as_asked(task: Task) -> Iterator[None]:
    """The engine's target may be a template that the caller named."""
    try:
        yield
    except FacefleetError as error:
        if task.template is not None and error.detail.get("field") == TARGET:
            error.detail["field"] = "template_id"
        raise


def _output(fusion: Fusion) -> Json:
    """Which faces of the target were replaced; strengths are exact, so that one as asked for equals the option."""
    placed = zip(fusion.faces, fusion.strengths, strict=True)
    return {
        "faces": [{"index": face.index, "strength": strength} for face, strength in placed],
        "skipped": [asdict(one) for one in fusion.skipped],
    }


def _options(task: Task) -> FuseOptions:
    """The record's options; one of a gateway that knew fewer has fewer."""
    options: dict[str, Any] = dict(task.options)
    assignments = tuple(FaceAssignment(**one) for one in options.pop("faces", ()))
    return FuseOptions(**options, faces=assignments)
