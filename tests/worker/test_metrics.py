"""What a worker counts, by real runs."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import MemoryStore
from prometheus_client import CollectorRegistry
from tests.servers import free_port, wait_until
from tests.tasks.fakes import LEASE, a_task
from tests.worker.conftest import Bench, Build

from facefleet.errors.model import OutOfMemory
from facefleet.errors.outage import QueueUnavailable
from facefleet.observability.metrics import Metrics
from facefleet.queue.app import build_app
from facefleet.queue.submit import Submitter
from facefleet.storage.store import ObjectStore
from facefleet.worker.leases import Leases
from facefleet.worker.outcome import Ending

FUSE = {"kind": "fuse"}
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics-and-logs.md"


class Watched(ObjectStore):
    """Has no room for a photo, and looks at the metrics of the run that asks for it."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.bench: Bench | None = None
        self.seen: list[float] = []

    def get(self, key: str) -> bytes:
        assert self.bench is not None
        self.seen.append(self.bench.count("facefusion_worker_in_flight", **FUSE))
        raise OutOfMemory("There was not enough memory.")


def test_a_run_is_in_flight_until_it_ends_and_its_retry_is_counted_by_what_it_met(build: Build) -> None:
    store = Watched()
    bench = store.bench = build(store)
    task = bench.queue(b"source", b"target")
    for _ in range(3):
        bench.runner(task.id)
        bench.clock.advance(60)
    assert store.seen == [1.0] * 3
    assert bench.count("facefusion_worker_in_flight", **FUSE) == 0
    assert bench.count("facefusion_retries_total", **FUSE, code="out_of_memory") == 2, "the third run was the last"
    assert bench.count("facefusion_process_seconds_count", **FUSE, outcome="retried") == 2
    assert bench.count("facefusion_process_seconds_count", **FUSE, outcome="failed") == 1


def test_a_duplicate_is_no_task_in_flight(bench: Bench) -> None:
    bench.runner("nobody")
    assert bench.metrics.registry.get_sample_value("facefusion_worker_in_flight", FUSE) is None


def test_what_is_handed_back_is_counted_unless_another_has_it_already(bench: Bench) -> None:
    leases = Leases(bench.records, LEASE, bench.clock, lambda _: None, bench.metrics)
    run = bench.records.claim(bench.queue(b"s", b"t").id, LEASE, {})
    assert run is not None
    for _ in range(2):
        leases.release(run)
    assert bench.count("facefusion_handed_back_total", **FUSE) == 1


def test_a_claim_that_its_heartbeat_does_not_find_is_counted(bench: Bench) -> None:
    lease = timedelta(seconds=0.3)
    leases = Leases(bench.records, lease, bench.clock, lambda _: None, bench.metrics)
    run = bench.records.claim(bench.queue(b"s", b"t").id, lease, {})
    assert run is not None
    bench.clock.advance(1)
    assert bench.records.requeue_lost(run)
    leases.start()
    try:
        with leases.hold(run):
            wait_until(lambda: bench.count("facefusion_leases_lost_total", **FUSE) >= 1, "the heartbeat finds nothing")
    finally:
        leases.stop()


def test_a_message_that_the_broker_did_not_take_is_an_outage_once_a_second() -> None:
    metrics = Metrics(CollectorRegistry())
    url = f"redis://127.0.0.1:{free_port()}/0"
    with build_app(url, prefix="t", lower_lane_every=5, visibility_timeout=3600) as app:
        submitter = Submitter(app, on_outage=metrics.on_outage("broker"))
        labels = {"part": "broker"}
        assert metrics.registry.get_sample_value("facefusion_outages_total", labels) == 0
        for _ in range(3):
            with pytest.raises(QueueUnavailable):
                submitter.send(a_task())
        assert metrics.registry.get_sample_value("facefusion_outages_total", labels) == 1


def test_the_reference_names_every_ending_of_a_run() -> None:
    row = next(line for line in REFERENCE.read_text().splitlines() if line.startswith("| `facefusion_process_seconds`"))
    assert re.findall(r"`(\w+)`", row.rpartition("|")[0].rpartition("|")[2]) == list(Ending)
