"""Names the handler of each kind of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from facefleet.clock import Clock
from facefleet.observability.metrics import Metrics
from facefleet.storage.store import Store
from facefleet.tasks.kinds import Kind
from facefleet.worker.handlers.detect import DetectHandler
from facefleet.worker.handlers.fuse import FuseHandler
from facefleet.worker.handlers.template import TemplateHandler
from facefleet.worker.outcome import Outcome
from facefleet.worker.run import Run

Handler = Callable[[Run], Outcome]
"""Does the work of one kind of task under a claim; raises a ``FacefleetError`` where it cannot be done."""


def build_handlers(store: Store, metrics: Metrics, clock: Clock) -> Mapping[Kind, Handler]:
    """Kind → its handler; a task of a kind that is not here is left to workers that know it."""
    return {
        Kind.FUSE: FuseHandler(store, metrics),
        Kind.DETECT: DetectHandler(store),
        Kind.TEMPLATE: TemplateHandler(store, clock),
    }
