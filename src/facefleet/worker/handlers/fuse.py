"""Handles ``fuse``: loads the photos of a task and fuses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from facefleet.engine.photo_role import TARGET
from facefleet.engine.types import Fusion
from facefleet.errors.base import FacefleetError
from facefleet.observability.metrics import Metrics
from facefleet.observability.tracing import trace_steps
from facefleet.options import FuseOptions
from facefleet.storage.store import Store
from facefleet.tasks.task import Json, Task
from facefleet.worker.inputs import load_sources, load_target
from facefleet.worker.outcome import Outcome
from facefleet.worker.run import Run


@dataclass(frozen=True, slots=True)
class FuseHandler:
    """Fuses faces of the sources into the target."""

    store: Store
    metrics: Metrics

    def __call__(self, run: Run) -> Outcome:
        """The fused picture, and which faces of the target were replaced."""
        task = run.task
        with run.timings.timed("load"):
            source, *more_sources = load_sources(self.store, task)
            target = load_target(self.store, task)
        options = FuseOptions.of_json(task.options)
        with _naming_the_callers_field(task):
            fusion = run.engine.fuse(
                source, target, options, more_sources=more_sources, keep_target=task.template is not None,
                checkpoint=trace_steps("engine", run.hold.check), tell=run.judge,
            )  # fmt: skip
        self._count_prepared(fusion.cache_hits)
        run.timings.ms |= fusion.timings_ms
        return Outcome(fusion.picture, _output(fusion))

    def _count_prepared(self, known: Mapping[str, bool]) -> None:
        for role, hit in known.items():
            photo = "target" if role == "target" else "source"
            self.metrics.prepared.labels(photo, "hit" if hit else "miss").inc()


@contextmanager
def _naming_the_callers_field(task: Task) -> Iterator[None]:
    """Errors about the engine's target name ``template_id`` where the caller gave a template instead of a target."""
    try:
        yield
    except FacefleetError as error:
        if task.template is not None and error.detail.get("field") == TARGET:
            error.detail["field"] = "template_id"
        raise


def _output(fusion: Fusion) -> Json:
    """Which faces of the target were replaced; strengths are not rounded, so one as asked for equals the option."""
    blends = zip(fusion.faces, fusion.strengths, strict=True)
    return {
        "faces": [{"index": face.index, "strength": strength} for face, strength in blends],
        "skipped": [asdict(face) for face in fusion.skipped],
    }
