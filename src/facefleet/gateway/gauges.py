"""Reads the gauges of a scrape: the queue's depth from the broker, everything else from the records."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from facefleet.clock import Clock
from facefleet.observability.bounded_read import BoundedRead
from facefleet.observability.metrics import Depths, LaneSample, Metrics, RecordsSample, WebhookSample
from facefleet.queue.broker import Broker
from facefleet.tasks.deliveries import Deliveries
from facefleet.tasks.routes import STABLE
from facefleet.tasks.seals import Seals
from facefleet.upkeep.operations import Control


def watch(
    metrics: Metrics, broker: Broker, control: Control, deliveries: Deliveries, seals: Seals, clock: Clock
) -> None:
    """Have every scrape read broker and records; either may be away."""
    metrics.watch_queue(BoundedRead(lambda: _depths(broker)))
    metrics.watch_records(BoundedRead(lambda: _sample(control, seals, clock)))
    metrics.watch_webhooks(BoundedRead(lambda: _pending(deliveries, clock)))


def _depths(broker: Broker) -> Depths:
    depths: Counter[tuple[str, str]] = Counter()
    for route, waiting in broker.depths(STABLE).items():
        depths[route.track, route.lane] += waiting
    return depths


def _sample(control: Control, seals: Seals, clock: Clock) -> RecordsSample:
    lanes = [
        LaneSample(s.track, s.lane, s.queued, s.running, s.oldest_seconds, s.paused_since is not None)
        for s in control.lanes()
    ]
    return RecordsSample(lanes, control.maintenance() is not None, _unsealed_seconds(seals, clock))


def _pending(deliveries: Deliveries, clock: Clock) -> WebhookSample:
    pending = deliveries.pending()
    late = (clock() - pending.due_since).total_seconds() if pending.due_since else 0.0
    return WebhookSample(pending.count, max(0.0, late))


def _unsealed_seconds(seals: Seals, clock: Clock) -> float:
    oldest = seals.oldest_unsealed()
    return max(0.0, (clock() - datetime.fromisoformat(oldest)).total_seconds()) if oldest else 0.0
