"""A claim that asks for suspects only, or for none, on every database."""

from __future__ import annotations

import pytest
from tests.tasks.fakes import LEASE, AllRecords, FakeClock, a_task

from facefleet.tasks.task import SUSPECT_LOST, Task


def that_lost(records: AllRecords, clock: FakeClock, times: int) -> Task:
    task = a_task(clock())
    records.add(task)
    for _ in range(times):
        run = records.claim(task.id, LEASE, {})
        assert run is not None
        clock.advance(2 * LEASE.total_seconds())
        assert records.requeue_lost(run)
    return task


@pytest.mark.parametrize("times", range(SUSPECT_LOST + 1))
def test_a_claim_gets_the_kind_it_asks_for(records: AllRecords, clock: FakeClock, times: int) -> None:
    task, suspect = that_lost(records, clock, times), times >= SUSPECT_LOST
    assert records.is_suspect(task.id) is suspect
    assert records.claim(task.id, LEASE, {}, suspect=not suspect) is None
    assert records.get(task.tenant, task.id).fence == times, "nothing was changed"
    run = records.claim(task.id, LEASE, {}, suspect=suspect)
    assert run is not None
    assert run.lost == times


def test_a_running_or_unknown_task_is_no_suspect(records: AllRecords, clock: FakeClock) -> None:
    task = that_lost(records, clock, SUSPECT_LOST)
    assert records.claim(task.id, LEASE, {}) is not None
    assert not records.is_suspect(task.id)
    assert not records.is_suspect("nobody")
