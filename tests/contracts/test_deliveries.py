"""What the repository of deliveries must do, on a file, in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert
from tests.tasks.fakes import LEASE, ORIGIN, START, AllRecords, FakeClock, a_task

from facefleet.errors.conflict import TaskHeld
from facefleet.errors.input import FaceNotFound
from facefleet.errors.lookup import DeliveryNotFound
from facefleet.tasks.audit import Action
from facefleet.tasks.deliveries import LOG_LENGTH, Attempt, Deliveries, Delivery, DeliveryState, Pending
from facefleet.tasks.records.ages import Age
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import row_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import Task, Webhook
from facefleet.tasks.transitions import State

SENDING = timedelta(seconds=60)
ENDS = ("succeeded", "failed", "canceled")
FAILED = DeliveryState.FAILED


@pytest.fixture
def deliveries(database: Database, clock: FakeClock) -> Deliveries:
    return Deliveries(database, clock)


def added(records: AllRecords, events: tuple[str, ...] = ENDS, host: str = "example.com") -> Task:
    task = a_task(webhook=Webhook(f"https://{host}/hook?token=1", events))
    return records.add(task)


def ended(records: AllRecords, **given: str) -> Task:
    task = added(records, **given)  # type: ignore[arg-type]
    return records.cancel(task.tenant, task.id)


def one(found: list[Delivery]) -> Delivery:
    (delivery,) = found
    return delivery


def attempt(clock: FakeClock, error: str | None = "status 500") -> Attempt:
    return Attempt(clock(), 500 if error else 204, error, 12)


def test_the_end_of_a_task_makes_one_delivery(records: AllRecords, deliveries: Deliveries) -> None:
    task = added(records)
    assert deliveries.announce() == 0
    canceled = records.cancel(task.tenant, task.id)
    assert [deliveries.announce(), deliveries.announce()] == [1, 0]
    made = one(deliveries.of_task(task))
    assert (made.tenant, made.task, made.event, made.version) == ("acme", task.id, State.CANCELED, canceled.version)
    assert (made.url, made.host) == ("https://example.com/hook?token=1", "example.com")
    assert (made.state, made.attempts, made.log, made.ended_at) == (DeliveryState.PENDING, 0, (), None)
    assert (made.happened_at, made.next_at) == (canceled.finished_at, canceled.finished_at)


def test_a_task_that_nobody_wants_to_hear_of_makes_none(records: AllRecords, deliveries: Deliveries) -> None:
    silent, other = records.add(a_task()), added(records, ("succeeded",))
    for task in (silent, other):
        records.cancel(task.tenant, task.id)
    assert deliveries.announce() == 0
    assert deliveries.due(10, []) == []


def test_every_state_can_be_told(records: AllRecords, deliveries: Deliveries) -> None:
    task = added(records, tuple(State))
    deliveries.announce()
    run = records.claim(task.id, LEASE, {})
    assert run is not None
    deliveries.announce()
    records.advance(run, "blend", 0.5)
    assert deliveries.announce() == 0, "progress is no event"
    records.fail(run, FaceNotFound("No face."))
    deliveries.announce()
    assert [d.event for d in deliveries.of_task(task)] == [State.QUEUED, State.RUNNING, State.FAILED]


def test_what_nobody_saw_pass_is_not_told_and_the_end_always_is(records: AllRecords, deliveries: Deliveries) -> None:
    task = added(records, tuple(State))
    records.cancel(task.tenant, task.id)
    deliveries.announce()
    assert [d.event for d in deliveries.of_task(task)] == [State.CANCELED]


def test_a_hold_tells_nothing_and_a_second_end_is_told_again(
    records: AllRecords, deliveries: Deliveries, database: Database, clock: FakeClock
) -> None:
    task, operations = ended(records), OperatorRecords(database, clock)
    deliveries.announce()
    operations.hold(task.id, ORIGIN, on=True)
    assert deliveries.announce() == 0
    operations.requeue(task.id, ORIGIN)
    records.cancel(task.tenant, task.id)
    assert deliveries.announce() == 1, "though nobody looked while it was queued"
    assert len({d.version for d in deliveries.of_task(task)}) == 2


def in_bulk(database: Database, count: int, **changes: object) -> None:
    """Ended tasks, in one statement."""
    made = [replace(a_task(), state=State.CANCELED, finished_at=START, **changes) for _ in range(count)]  # type: ignore[arg-type]
    with database.write() as connection:
        connection.execute(insert(tasks), [row_of(task) for task in made])


def test_more_than_one_look_can_take_are_made_by_the_next(database: Database, deliveries: Deliveries) -> None:
    in_bulk(database, CHUNK + 7, webhook=Webhook("https://example.com", ENDS))
    assert [deliveries.announce() for _ in range(3)] == [CHUNK, 7, 0]


def test_a_look_reads_no_more_rows_than_have_something_to_tell(
    records: AllRecords, deliveries: Deliveries, database: Database
) -> None:
    """Twice a second in every gateway: its cost must not grow with what has ended."""
    in_bulk(database, 3_000)
    in_bulk(database, 100, webhook=Webhook("https://example.com", ENDS))
    deliveries.announce()
    ended(records)
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    asked = statements_of(database, lambda: (deliveries.announce(), deliveries.due(10, ["a.example"])))
    plans = [plan_of(database, statement, values) for statement, values in asked if statement.startswith("SELECT")]
    assert len(plans) == 3
    for plan, index in zip(plans, ("ix_tasks_untold", "ix_tasks_untold", "ix_deliveries_next"), strict=True):
        assert index in plan
        assert "Seq Scan" not in plan


def statements_of(database: Database, work: Callable[[], object]) -> list[tuple[str, Any]]:
    """What it asks the database, as the database sees it."""
    seen: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        seen.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    work()
    event.remove(database.engine, "before_cursor_execute", note)
    return seen


def plan_of(database: Database, statement: str, values: Any) -> str:
    words = "EXPLAIN QUERY PLAN" if database.engine.dialect.name == "sqlite" else "EXPLAIN"
    with database.write() as connection:
        return str(connection.exec_driver_sql(f"{words} {statement}", values).all())


def test_any_number_of_gateways_make_each_once(records: AllRecords, deliveries: Deliveries) -> None:
    for _ in range(40):
        ended(records)
    with ThreadPoolExecutor(4) as pool:
        made = sum(pool.map(lambda _: deliveries.announce(), range(12)))
    assert made + deliveries.announce() == 40
    assert len(deliveries.due(100, [])) == 40


def test_any_number_of_gateways_claim_each_once(records: AllRecords, deliveries: Deliveries) -> None:
    for _ in range(20):
        ended(records)
    deliveries.announce()
    found = deliveries.due(100, [])
    with ThreadPoolExecutor(4) as pool:
        won = [d.id for some in pool.map(lambda _: deliveries.claim(found, SENDING), range(4)) for d in some]
    assert sorted(won) == sorted(d.id for d in found)
    assert deliveries.due(100, []) == []


def test_what_is_due_comes_most_overdue_first_and_busy_hosts_are_passed_over(
    records: AllRecords, deliveries: Deliveries, clock: FakeClock
) -> None:
    for host in ("a.example", "b.example", "a.example"):
        ended(records, host=host)
        deliveries.announce()
        clock.advance(1)
    assert [d.host for d in deliveries.due(2, [])] == ["a.example", "b.example"]
    assert [d.host for d in deliveries.due(2, ["a.example"])] == ["b.example"]
    assert deliveries.due(2, ["a.example", "b.example"]) == []


def test_an_attempt_whose_gateway_died_is_due_again_when_its_lease_is_over(
    records: AllRecords, deliveries: Deliveries, clock: FakeClock
) -> None:
    ended(records)
    deliveries.announce()
    lost = one(deliveries.claim(deliveries.due(1, []), SENDING))
    clock.advance(59)
    assert deliveries.due(1, []) == []
    clock.advance(1)
    again = one(deliveries.claim(deliveries.due(1, []), SENDING))
    assert (again.id, again.attempts, lost.attempts) == (lost.id, 2, 1)
    assert not deliveries.record(lost, attempt(clock), FAILED, None), "the dead one wakes, and has lost it"
    assert deliveries.record(again, attempt(clock, None), DeliveryState.DELIVERED, None)
    assert not deliveries.record(again, attempt(clock), FAILED, None), "it has ended"


def test_outcomes_are_kept_and_shown_oldest_first(
    records: AllRecords, deliveries: Deliveries, clock: FakeClock
) -> None:
    task = ended(records)
    deliveries.announce()
    for number in range(LOG_LENGTH + 2):
        claimed = one(deliveries.claim(deliveries.due(1, []), SENDING))
        tried = Attempt(clock(), None, f"error {number}", number)
        assert deliveries.record(claimed, tried, DeliveryState.PENDING, clock() + timedelta(seconds=5))
        clock.advance(5)
    kept = one(deliveries.of_task(task))
    assert (len(kept.log), kept.log[-1], kept.attempts) == (LOG_LENGTH, tried, LOG_LENGTH + 2)
    assert kept.log[0].error == "error 2"


def test_a_delivery_that_has_ended_is_replayed(
    records: AllRecords, deliveries: Deliveries, clock: FakeClock, database: Database
) -> None:
    task = ended(records)
    deliveries.announce()
    claimed = one(deliveries.claim(deliveries.due(1, []), SENDING))
    deliveries.record(claimed, attempt(clock), FAILED, None)
    assert one(deliveries.of_task(task)).ended_at == clock()
    again = deliveries.replay(task, claimed.id, ORIGIN)
    replays = AuditLog(database, clock).entries(AuditFilter(action=Action.WEBHOOK_REPLAY))
    assert [entry.object for entry in replays] == [task.id]
    assert (again.state, again.next_at, again.ended_at) == (DeliveryState.PENDING, clock(), None)
    assert one(deliveries.due(10, [])).id == claimed.id
    assert one(deliveries.due(10, [])).log == (attempt(clock),)


@pytest.mark.parametrize("delivery_id", ["nothing", "", "a\0b", "\ud800"])
def test_only_a_delivery_of_the_task_is_replayed(records: AllRecords, deliveries: Deliveries, delivery_id: str) -> None:
    task, other = ended(records), ended(records)
    deliveries.announce()
    of_another = one(deliveries.of_task(other)).id
    for wanted in (delivery_id, of_another):
        with pytest.raises(DeliveryNotFound):
            deliveries.replay(task, wanted, ORIGIN)


def test_what_is_pending_is_counted(records: AllRecords, deliveries: Deliveries, clock: FakeClock) -> None:
    assert deliveries.pending() == Pending(0, None)
    began = clock()
    for _ in range(2):
        ended(records)
        deliveries.announce()
        clock.advance(3)
    assert deliveries.pending() == Pending(2, began)
    claimed = one(deliveries.claim(deliveries.due(1, []), SENDING))
    deliveries.record(claimed, attempt(clock, None), DeliveryState.DELIVERED, None)
    assert deliveries.pending() == Pending(1, began + timedelta(seconds=3))


def test_erasure_forgets_address_and_deliveries(
    records: AllRecords, deliveries: Deliveries, database: Database, clock: FakeClock
) -> None:
    task, running = ended(records), added(records)
    deliveries.announce()
    claimed = one(deliveries.claim(deliveries.due(1, []), SENDING))
    retention_records = RetentionRecords(database, clock)
    for erased in (task, running):
        retention_records.erase(erased, ORIGIN)
        assert records.get(erased.tenant, erased.id).webhook is None
    assert deliveries.task_of(claimed) is None
    assert not deliveries.record(claimed, attempt(clock), DeliveryState.PENDING, clock())
    assert (deliveries.announce(), deliveries.of_task(task), deliveries.due(1, [])) == (0, [], [])


def test_a_held_task_keeps_its_deliveries(
    records: AllRecords, deliveries: Deliveries, database: Database, clock: FakeClock
) -> None:
    task = ended(records)
    deliveries.announce()
    OperatorRecords(database, clock).hold(task.id, ORIGIN, on=True)
    with pytest.raises(TaskHeld):
        RetentionRecords(database, clock).erase(task, ORIGIN)
    assert len(deliveries.of_task(task)) == 1


def test_rows_go_with_their_task_and_no_sooner(
    records: AllRecords, deliveries: Deliveries, database: Database, clock: FakeClock
) -> None:
    old, retention_records = ended(records), RetentionRecords(database, clock)
    clock.advance(60)
    young = records.add(a_task(clock(), webhook=Webhook("https://example.com", ENDS)))
    young = records.cancel(young.tenant, young.id)
    deliveries.announce()
    for task in (old, young):
        retention_records.inputs_deleted(task)
        retention_records.results_deleted(task)
    assert retention_records.delete_rows(Age(timedelta(seconds=30))) == 1
    assert (deliveries.of_task(old), len(deliveries.of_task(young))) == ([], 1)
