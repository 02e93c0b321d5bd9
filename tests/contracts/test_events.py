"""Every change of a record is told once, when it is committed, with the version it has then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.tasks.fakes import LEASE, ORIGIN, AllRecords, FakeClock, WakesHeard, a_task

from facefleet.errors.conflict import TaskEnded, TaskHeld
from facefleet.errors.input import FaceNotFound
from facefleet.errors.outage import StoreUnavailable
from facefleet.errors.task import DeadlineExceeded
from facefleet.tasks.events import Event, Wake
from facefleet.tasks.records.lane_counts import LaneCounts
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task

AWAY = StoreUnavailable("The object store did not answer; try again.")
LATE = DeadlineExceeded("The task did not finish.")


@pytest.fixture
def heard() -> WakesHeard:
    return WakesHeard()


@pytest.fixture
def records(database: Database, clock: FakeClock, heard: WakesHeard) -> AllRecords:
    return AllRecords(database, clock, heard)


def running(records: AllRecords, task: Task) -> Task:
    run = records.claim(task.id, LEASE, {})
    assert run is not None
    return run


CHANGES: dict[str, Callable[[AllRecords, Task, FakeClock], object]] = {
    "claim": lambda records, task, clock: running(records, task),
    "advance": lambda records, task, clock: records.advance(running(records, task), "warp", 0.5),
    "hand_back": lambda records, task, clock: records.hand_back(running(records, task)),
    "succeed": lambda records, task, clock: records.succeed(running(records, task), "key", "image/png", {}),
    "fail": lambda records, task, clock: records.fail(running(records, task), FaceNotFound("None.")),
    "retry": lambda records, task, clock: records.retry(running(records, task), AWAY, clock()),
    "cancel": lambda records, task, clock: records.cancel(task.tenant, task.id),
    "fail_overdue": lambda records, task, clock: records.fail_overdue(task, LATE),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_told_with_the_version_of_the_record(
    records: AllRecords, clock: FakeClock, heard: WakesHeard, change: str
) -> None:
    task = a_task(clock())
    records.add(task)
    assert CHANGES[change](records, task, clock)
    now = records.get(task.tenant, task.id)
    assert heard[-1] == Wake(task.id, now.version)
    assert [wake.version for wake in heard] == list(range(2, now.version + 1)), "each change once"


def test_a_lease_that_expired_is_told(records: AllRecords, clock: FakeClock, heard: WakesHeard) -> None:
    task = a_task(clock())
    records.add(task)
    run = running(records, task)
    clock.advance(2 * LEASE.total_seconds())
    assert records.requeue_lost(run)
    assert heard == [Wake(task.id, 2), Wake(task.id, 3)]


def test_what_changes_nothing_is_not_told(records: AllRecords, clock: FakeClock, heard: WakesHeard) -> None:
    task = a_task(clock())
    records.add(task)
    stale = running(records, task)
    records.hand_back(stale)
    heard.clear()
    assert not records.advance(stale, "warp", 0.5)
    assert not records.succeed(stale, "key", "image/png", {})
    assert not records.fail(stale, FaceNotFound("None."))
    records.renew({task.id: 0}, LEASE)
    records.cancel(task.tenant, task.id)
    assert heard, "the first time it is one"
    heard.clear()
    records.cancel(task.tenant, task.id)
    assert heard == []
    ended = a_task(clock())
    records.add(ended)
    records.fail(running(records, ended), FaceNotFound("None."))
    heard.clear()
    with pytest.raises(TaskEnded):
        records.cancel(ended.tenant, ended.id)
    assert heard == []


def test_an_erasure_is_told_once(database: Database, records: AllRecords, clock: FakeClock, heard: WakesHeard) -> None:
    task = a_task(clock())
    records.add(task)
    retention_records = RetentionRecords(database, clock, heard)
    retention_records.erase(task, ORIGIN)
    retention_records.erase(task, ORIGIN)
    assert heard == [Wake(task.id, 2)]


def test_what_operators_do_is_told(
    database: Database, records: AllRecords, clock: FakeClock, heard: WakesHeard
) -> None:
    task, operations = a_task(clock()), OperatorRecords(database, clock, heard)
    records.add(task)
    records.cancel(task.tenant, task.id)
    operations.requeue(task.id, ORIGIN)
    operations.hold(task.id, ORIGIN, on=True)
    with pytest.raises(TaskHeld):
        RetentionRecords(database, clock, heard).erase(task, ORIGIN)
    assert heard == [Wake(task.id, 2), Wake(task.id, 3), Wake(task.id, 4)]


def test_records_are_read_together(records: AllRecords, clock: FakeClock) -> None:
    tasks = [a_task(clock()) for _ in range(3)]
    for task in tasks:
        records.add(task)
    running(records, tasks[1])
    wanted = [tasks[0].id, tasks[1].id, "nobody"]
    assert records.versions(wanted) == {tasks[0].id: 1, tasks[1].id: 2}
    assert {task.id: task.version for task in records.of_ids(wanted)} == {tasks[0].id: 1, tasks[1].id: 2}


def test_the_turns_of_a_lane_are_its_due_tasks_in_order(
    database: Database, records: AllRecords, clock: FakeClock
) -> None:
    first, second = (a_task(clock() + timedelta(milliseconds=n)) for n in range(2))
    late, elsewhere = a_task(clock() + timedelta(hours=1)), a_task(clock(), lane="bulk")
    for task in (second, late, elsewhere, first):
        records.add(task)
    clock.advance(1)
    counts = LaneCounts(database, clock)
    due = [(first.run_at, first.id), (second.run_at, second.id)]
    assert counts.turns("stable", "standard", 10) == due
    assert counts.turns("stable", "standard", 1) == due[:1]


def test_a_wake_travels_as_text_and_what_is_none_is_passed_over() -> None:
    assert Wake.decode(Wake("a-task", 7).encode()) == Wake("a-task", 7)
    assert [Wake.decode(text) for text in ("", "a-task", " 7", "a-task ²", "a-task -1", "a-task 7 8")] == [None] * 6


def test_an_event_is_the_record_as_it_stands(clock: FakeClock) -> None:
    assert Event.of(a_task(clock())) == Event(1, "queued", last=False)
