"""What each kind of task does: the one table."""

from __future__ import annotations

from collections.abc import Mapping

from facefleet.clock import Clock
from facefleet.engine.fusion import Engine
from facefleet.observability.metrics import Metrics
from facefleet.storage.store import Store
from facefleet.tasks.task import Kind
from facefleet.worker.handlers.detect import Finding, Registering
from facefleet.worker.handlers.fuse import Fusing
from facefleet.worker.outcome import Work


def build_works(store: Store, engine: Engine, metrics: Metrics, clock: Clock, *, producer: str) -> Mapping[Kind, Work]:
    """Kind → its work; one that is not here is left to workers that know it."""
    return {
        Kind.FUSE: Fusing(store, engine, metrics, producer),
        Kind.DETECT: Finding(store, engine),
        Kind.TEMPLATE: Registering(store, engine, clock),
    }
