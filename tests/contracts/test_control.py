"""The operator's hands, on every database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from tests.tasks.fakes import LEASE, ORIGIN, AllRecords, FakeClock, a_task, an_entry

from facefleet.errors.conflict import RequeueRefused, TaskEnded, TaskHeld
from facefleet.errors.input import FaceNotFound, OptionInvalid
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.outage import Overloaded, RecordsUnavailable
from facefleet.tasks.backlog import LONGEST_SECONDS, Backlog, retry_after
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.switches import MAINTENANCE, CachedSwitches, Switch, Switches, pause_of
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State
from facefleet.upkeep.operations import Control

NO_FACE = FaceNotFound("No face.")


@pytest.fixture
def control(database: Database, clock: FakeClock) -> Control:
    return Control(database, clock)


def added(records: AllRecords, clock: FakeClock, **changes: object) -> Task:
    return records.add(a_task(clock(), **changes))


def running(records: AllRecords, clock: FakeClock, **changes: object) -> Task:
    run = records.claim(added(records, clock, **changes).id, LEASE, {})
    assert run is not None
    return run


def failed(records: AllRecords, clock: FakeClock) -> Task:
    run = running(records, clock)
    assert records.fail(run, NO_FACE)
    return run


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_newest_of_all_tenants_come_first(control: Control, records: AllRecords, clock: FakeClock) -> None:
    tasks = [added(records, clock, tenant=tenant) for tenant in ("acme", "initech", "acme")]
    assert [task.id for task in control.tasks.newest(10)] == [task.id for task in reversed(tasks)]
    assert [task.id for task in control.tasks.newest(2)] == [task.id for task in reversed(tasks[1:])]
    records.cancel("initech", tasks[1].id)
    assert [task.id for task in control.tasks.newest(10, State.CANCELED)] == [tasks[1].id]
    assert control.tasks.get(tasks[1].id).tenant == "initech"


@pytest.mark.parametrize("odd", ["nobody", "", "a\0b", "é" * 40, "\udcff", "x" * 5000])
def test_what_is_no_id_is_not_found(control: Control, odd: str) -> None:
    calls: tuple[Callable[[], Task], ...] = (
        lambda: control.tasks.get(odd), lambda: control.tasks.requeue(odd, ORIGIN),
        lambda: control.cancel(odd, ORIGIN), lambda: control.tasks.hold(odd, ORIGIN, on=True),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(TaskNotFound):
            call()


def test_a_failed_task_begins_anew_with_all_its_budgets(
    control: Control, records: AllRecords, clock: FakeClock
) -> None:
    task = failed(records, clock)
    clock.advance(3600)
    fresh = control.tasks.requeue(task.id, ORIGIN)
    assert (fresh.state, fresh.failures, fresh.lost, fresh.failure) == (State.QUEUED, 0, 0, None)
    assert (fresh.run_at, fresh.deadline_at - clock()) == (clock(), timedelta(minutes=15))
    assert [t.id for t in records.unsent()] == [task.id], "the sweeper sends it"
    run = records.claim(task.id, LEASE, {})
    assert run is not None
    assert run.fence == 2, "a run of before is fenced out"
    assert not records.fail(task, NO_FACE)


def test_what_cannot_begin_anew_is_refused_with_the_reason(
    control: Control, records: AllRecords, clock: FakeClock, database: Database
) -> None:
    retention_records = RetentionRecords(database, clock)
    bare, erased = failed(records, clock), failed(records, clock)
    retention_records.inputs_deleted(bare)
    retention_records.erase(records.get(erased.tenant, erased.id), ORIGIN)
    reasons = {
        added(records, clock).id: "it is queued", running(records, clock).id: "it is running",
        bare.id: "uploads have been deleted", erased.id: "erased",
    }  # fmt: skip
    for task_id, reason in reasons.items():
        with pytest.raises(RequeueRefused, match=reason):
            control.tasks.requeue(task_id, ORIGIN)


def test_any_tenants_task_can_be_ended_once(control: Control, records: AllRecords, clock: FakeClock) -> None:
    run = running(records, clock, tenant="initech")
    assert control.cancel(run.id, ORIGIN).state is State.CANCELED
    assert not records.succeed(run, "key", "image/png", {})
    with pytest.raises(TaskEnded):
        control.cancel(failed(records, clock).id, ORIGIN)


def test_a_hold_stops_erasure_until_it_ends(
    control: Control, records: AllRecords, clock: FakeClock, database: Database
) -> None:
    task, retention_records = failed(records, clock), RetentionRecords(database, clock)
    before = records.get(task.tenant, task.id).version
    assert control.tasks.hold(task.id, ORIGIN, on=True).hold
    assert control.tasks.hold(task.id, ORIGIN, on=True).version == before + 1, "twice is once"
    with pytest.raises(TaskHeld):
        retention_records.erase(records.get(task.tenant, task.id), ORIGIN)
    assert not control.tasks.hold(task.id, ORIGIN, on=False).hold
    retention_records.erase(records.get(task.tenant, task.id), ORIGIN)


# ── lanes and the door ───────────────────────────────────────────────────────────────────────────────────────────────


def test_lanes_tell_what_waits_how_long_and_what_runs(control: Control, records: AllRecords, clock: FakeClock) -> None:
    added(records, clock)
    clock.advance(20)
    added(records, clock)
    running(records, clock, lane="bulk")
    failed(records, clock)
    clock.advance(10)
    found = {status.lane: (status.queued, status.running, status.oldest_seconds) for status in control.lanes()}
    assert found == {"interactive": (0, 0, 0.0), "standard": (2, 0, 30.0), "bulk": (0, 1, 0.0)}


def test_a_task_that_is_not_due_has_not_waited(control: Control, records: AllRecords, clock: FakeClock) -> None:
    records.retry(running(records, clock), NO_FACE, clock() + timedelta(seconds=60))
    assert [status.oldest_seconds for status in control.lanes()] == [0.0, 0.0, 0.0]


def test_a_pause_is_told_with_its_reason_until_it_ends(control: Control, clock: FakeClock) -> None:
    control.pause("bulk", ORIGIN, reason="a storage bill")
    clock.advance(60)
    control.pause("bulk", ORIGIN, reason="the same, explained")
    paused = [status for status in control.lanes() if status.paused_since]
    assert [(status.lane, status.reason) for status in paused] == [("bulk", "the same, explained")]
    assert paused[0].paused_since == clock() - timedelta(seconds=60)
    control.resume("bulk", ORIGIN)
    control.resume("bulk", ORIGIN)
    assert [status.paused_since for status in control.lanes()] == [None] * 3


@pytest.mark.parametrize("place", [{"lane": "fast"}, {"lane": ""}, {"lane": "bulk", "track": "canary"}])
def test_there_are_no_other_lanes(control: Control, place: dict[str, str]) -> None:
    for call in (control.pause, control.resume):
        with pytest.raises(OptionInvalid):
            call(origin=ORIGIN, **place)


def test_maintenance_is_on_until_it_is_off(control: Control, clock: FakeClock) -> None:
    assert control.maintenance() is None
    control.begin_maintenance(ORIGIN, "x" * 10_000)
    closed = control.maintenance()
    assert closed is not None
    assert closed.since == clock()
    assert 0 < len(closed.reason) < 10_000, "what does not fit is cut"
    control.end_maintenance(ORIGIN)
    assert control.maintenance() is None


def test_a_reason_may_hold_anything(control: Control) -> None:
    control.begin_maintenance(ORIGIN, "new \0 disks \udcff 磁盘\n")
    closed = control.maintenance()
    assert closed is not None
    assert closed.reason == "new ? disks ? 磁盘\n"


def test_in_an_outage_what_was_known_holds(database: Database, clock: FakeClock) -> None:
    now, away = [0.0], [RecordsUnavailable("The database did not answer; try again.")]
    switches = Switches(database, clock)
    switches.on(MAINTENANCE, an_entry())

    def read() -> Mapping[str, Switch]:
        if now[-1] == 1.0:
            raise away[0]
        return switches.all()

    cached = CachedSwitches(read, lambda: now[-1])
    assert cached.get(MAINTENANCE) is not None
    switches.off(MAINTENANCE, an_entry())
    now.append(1.0)
    assert cached.get(MAINTENANCE) is not None, "nobody can say otherwise"
    now.append(2.0)
    assert cached.get(MAINTENANCE) is None


def test_while_one_thread_reads_the_others_go_on_with_what_is_known(control: Control) -> None:
    now, reading, go_on = [0.0], Event(), Event()

    def read() -> Mapping[str, Switch]:
        if now[-1]:
            reading.set()
            go_on.wait(10)
        return {}

    cached = CachedSwitches(read, lambda: now[-1])
    assert cached.get(MAINTENANCE) is None
    now.append(1.0)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cached.paused)
        assert reading.wait(10)
        assert cached.get(MAINTENANCE) is None, "it does not wait for the other"
        assert not slow.done()
        go_on.set()
        assert slow.result(10) == frozenset()


def test_two_that_switch_on_at_once_make_one_switch(database: Database, clock: FakeClock) -> None:
    switches = Switches(database, clock)
    for name in (f"pause:stable.{number}" for number in range(10)):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(switches.on, [name] * 4, [an_entry() for _ in range(4)], ["a", "b", "c", "d"]))
        assert switches.all()[name].reason in ("a", "b", "c", "d")
    assert len(switches.all()) == 10


def test_what_is_asked_all_the_time_is_read_once_a_second(database: Database, clock: FakeClock) -> None:
    switches, now, reads = Switches(database, clock), [0.0], []

    def read() -> object:
        reads.append(now[-1])
        return switches.all()

    cached = CachedSwitches(read, lambda: now[-1])  # type: ignore[arg-type]
    assert cached.paused() == frozenset()
    switches.on(pause_of("stable", "bulk"), an_entry())
    assert cached.paused() == frozenset(), "not yet"
    for second in (0.9, 1.0, 1.5):
        now.append(second)
        cached.paused()
    assert cached.paused() == {"stable.bulk"}
    assert reads == [0.0, 1.0]


# ── the backlog ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_lane_says_when_there_will_be_room_at_the_rate_of_the_last_minute(
    control: Control, records: AllRecords, clock: FakeClock
) -> None:
    now = [0.0]
    backlog = Backlog(control.lane_counts, 10, clock, lambda: now[-1])
    for _ in range(30):
        failed(records, clock)  # 30 runs began in this minute: one in two seconds
    route = added(records, clock).route
    for _ in range(9):
        backlog.check(route)
        added(records, clock)
    now.append(1.0)
    with pytest.raises(Overloaded) as caught:
        backlog.check(route)
    # It opens again at nine of ten; one task leaves in two seconds.
    assert caught.value.detail == {
        "lane": "standard", "queued": 10, "limit": 10, "started_per_second": 0.5, "retry_after": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("queued", "per_second", "seconds"), [(100, 10.0, 1), (200, 10.0, 11), (200, 0.0, LONGEST_SECONDS), (91, 1.0, 1)]
)
def test_the_wait_is_bounded(queued: int, per_second: float, seconds: int) -> None:
    assert retry_after(queued, 100, per_second) == seconds


def test_a_lane_where_nothing_begins_says_so_and_the_others_are_open(
    control: Control, records: AllRecords, clock: FakeClock
) -> None:
    backlog = Backlog(control.lane_counts, 2, clock, iter(range(9)).__next__)
    full = added(records, clock, lane="bulk").route
    backlog.check(full)
    added(records, clock, lane="bulk")
    with pytest.raises(Overloaded) as caught:
        backlog.check(full)
    assert caught.value.detail["retry_after"] == LONGEST_SECONDS
    backlog.check(added(records, clock).route)


def test_a_count_holds_for_a_second_whoever_asks(control: Control, records: AllRecords, clock: FakeClock) -> None:
    now = [0.0]
    backlog = Backlog(control.lane_counts, 1, clock, lambda: now[-1])
    route = a_task().route
    backlog.check(route)
    added(records, clock)
    backlog.check(route)
    now.append(1.0)
    with pytest.raises(Overloaded):
        backlog.check(route)
