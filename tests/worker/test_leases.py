"""The heartbeat keeps what is held, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from tests.servers import wait_until
from tests.worker.conftest import Bench

from facefleet.worker.leases import Leases


def test_a_held_task_outlives_its_lease_and_a_released_one_does_not(bench: Bench) -> None:
    lease = timedelta(seconds=0.3)
    held, dropped = bench.queue(b"s", b"t"), bench.queue(b"s", b"t")
    claims = [bench.records.claim(task.id, lease, {}) for task in (held, dropped)]
    assert claims[0] is not None
    leases = Leases(bench.records, lease, bench.clock, lambda _: None, bench.metrics)
    leases.start()
    try:
        with leases.hold(claims[0]):
            bench.clock.advance(0.2)
            moved = bench.clock() + lease
            wait_until(lambda: bench.read(held).lease_until == moved, "the lease is renewed")
            bench.clock.advance(0.2)
            assert [task.id for task in bench.records.expired()] == [dropped.id]
        bench.clock.advance(0.2)
        wait_until(lambda: len(bench.records.expired()) == 2, "the released lease expires")
    finally:
        leases.stop()
