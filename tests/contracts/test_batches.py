"""What the repository of batches must do, on a file, in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from tests.tasks.fakes import LEASE, ORIGIN, AllRecords, FakeClock, WakesHeard, a_task

from facefleet.errors.conflict import TaskHeld
from facefleet.errors.input import OptionInvalid
from facefleet.errors.lookup import BatchNotFound
from facefleet.tasks.batches import PAGE, Batch, Batches
from facefleet.tasks.deliveries import Deliveries
from facefleet.tasks.ids import new_id
from facefleet.tasks.records.ages import Age
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task, Webhook
from facefleet.tasks.transitions import State

HOUR = timedelta(hours=1)


@pytest.fixture
def told() -> WakesHeard:
    return WakesHeard()


@pytest.fixture
def batches(database: Database, clock: FakeClock, told: WakesHeard) -> Batches:
    return Batches(database, clock, told)


def a_batch(clock: FakeClock, count: int, key: str | None = None, **changes: object) -> tuple[Batch, list[Task]]:
    batch = Batch(new_id(), "acme", "alice", count, {"strength": 0.5}, {"source": "s"}, clock(), idempotency_key=key)
    return batch, [a_task(clock(), batch=batch.id, item=item, **changes) for item in range(count)]


def added(batches: Batches, clock: FakeClock, count: int = 3, **changes: object) -> tuple[Batch, list[Task]]:
    batch, items = a_batch(clock, count, **changes)  # type: ignore[arg-type]
    return batches.add(batch, items, ORIGIN), items


def states(batches: Batches, batch: Batch) -> list[State]:
    return [task.state for task in batches.items(batch)]


def run_of(records: AllRecords, task: Task) -> Task:
    run = records.claim(task.id, LEASE, {})
    assert run is not None
    return run


def test_every_field_survives_the_round_trip(batches: Batches, clock: FakeClock) -> None:
    batch = Batch(
        id=new_id(), tenant="acme", subject="alice", total=1, options={"strength": 0.5, "names": ["é", None]},
        inputs={"source": "a key"}, created_at=clock(), template=new_id(), idempotency_key="order-17",
        request_digest="d" * 64, inputs_kept=False, canceled_at=clock() + HOUR, erased_at=clock() + 2 * HOUR,
        counts={State.QUEUED: 1}, credential="key-1",
    )  # fmt: skip
    blank = Batch(new_id(), "acme", "alice", 1, {}, {}, clock() - HOUR)
    same = [f.name for f in fields(Batch) if getattr(batch, f.name) == getattr(blank, f.name)]
    assert same == ["tenant", "subject", "total"], "a field this test does not fill is not tested"
    assert batches.add(batch, [a_task(clock(), batch=batch.id, item=0)], ORIGIN) == batch
    assert batches.get("acme", batch.id) == batch


def test_items_come_in_their_order_however_many_pages_they_are(batches: Batches, clock: FakeClock) -> None:
    batch, items = a_batch(clock, 2 * PAGE + 1)
    batches.add(batch, items[::-1], ORIGIN)
    added(batches, clock)
    assert [task.id for task in batches.items(batch)] == [task.id for task in items]
    assert batches.get("acme", batch.id).counts == {State.QUEUED: 2 * PAGE + 1}


def test_of_a_batch_that_cannot_be_committed_nothing_is(batches: Batches, clock: FakeClock) -> None:
    batch, items = a_batch(clock, 2)
    with pytest.raises(IntegrityError):
        batches.add(batch, [*items, replace(items[0], item=2)], ORIGIN)
    with pytest.raises(BatchNotFound):
        batches.get("acme", batch.id)
    assert states(batches, batch) == []


def test_of_twins_one_is_committed_with_its_items_alone(batches: Batches, clock: FakeClock) -> None:
    made = [a_batch(clock, 2, key="k") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        won = {batch.id for batch in pool.map(lambda one: batches.add(one[0], one[1], ORIGIN), made)}
    assert len(won) == 1
    assert [len(states(batches, batch)) for batch, _ in made if batch.id in won] == [2]
    assert [states(batches, batch) for batch, _ in made if batch.id not in won] == [[]] * 5
    other = replace(a_batch(clock, 1)[0], tenant="other", idempotency_key="k")
    assert batches.add(other, [a_task(clock(), tenant="other", batch=other.id, item=0)], ORIGIN).id == other.id


def test_what_is_no_id_is_no_batch(batches: Batches) -> None:
    for batch_id in ("", "none", "\0", "é" * 36):
        with pytest.raises(BatchNotFound):
            batches.get("acme", batch_id)


def test_nobody_else_has_the_batch(batches: Batches, clock: FakeClock) -> None:
    batch, _ = added(batches, clock)
    with pytest.raises(BatchNotFound):
        batches.get("other", batch.id)
    with pytest.raises(BatchNotFound):
        batches.cancel("other", batch.id, ORIGIN)
    assert states(batches, batch) == [State.QUEUED] * 3
    assert batches.page("other", None, 10).rows == []


def test_pages_go_through_every_batch_once_while_new_ones_come(batches: Batches, clock: FakeClock) -> None:
    made = [added(batches, clock, 1)[0] for _ in range(5)]
    page = batches.page("acme", None, 2)
    found = list(page.rows)
    while page.next_cursor:
        added(batches, clock, 1)
        page = batches.page("acme", page.next_cursor, 2)
        found += page.rows
    assert found == made[::-1]
    with pytest.raises(OptionInvalid):
        batches.page("acme", "17", 2)


def test_a_cancel_ends_what_has_not_ended_and_tells_of_each(
    batches: Batches, records: AllRecords, clock: FakeClock, told: WakesHeard
) -> None:
    batch, items = added(batches, clock)
    run, other = run_of(records, items[0]), run_of(records, items[1])
    assert records.succeed(run, "key", "image/png", {})
    canceled = batches.cancel("acme", batch.id, ORIGIN)
    assert (canceled.canceled_at, canceled.counts) == (clock(), {State.SUCCEEDED: 1, State.CANCELED: 2})
    assert not records.succeed(other, "key", "image/png", {}), "its run has lost its claim"
    assert {(wake.task_id, wake.version) for wake in told} == {
        (task.id, records.get("acme", task.id).version) for task in items[1:]
    }
    clock.advance(60)
    assert (batches.cancel("acme", batch.id, ORIGIN), len(told)) == (canceled, 2)


def test_a_cancel_that_comes_too_late_cancels_nothing(batches: Batches, records: AllRecords, clock: FakeClock) -> None:
    batch, items = added(batches, clock, 1)
    records.succeed(run_of(records, items[0]), "key", "image/png", {})
    assert batches.cancel("acme", batch.id, ORIGIN).canceled_at is None


def test_an_erasure_leaves_receipts_and_takes_what_was_to_be_told(
    batches: Batches, records: AllRecords, database: Database, clock: FakeClock, told: WakesHeard
) -> None:
    hook, deliveries = Webhook("https://example.com", tuple(State)), Deliveries(database, clock)
    batch, items = added(batches, clock, 2, webhook=hook, options={"strength": 0.5})
    other, rest = added(batches, clock, 1, webhook=hook)
    run = run_of(records, items[0])
    deliveries.announce()
    for _ in range(2):
        batches.erase(batch, ORIGIN)
        clock.advance(60)
    erased = batches.get("acme", batch.id)
    assert (erased.options, erased.erased_at) == ({}, clock() - timedelta(seconds=120))
    assert states(batches, batch) == [State.CANCELED] * 2
    assert [(task.options, task.webhook) for task in batches.items(batch)] == [({}, None)] * 2
    assert not records.succeed(run, "key", "image/png", {})
    assert len(told) == 2
    assert (deliveries.announce(), [deliveries.of_task(task) for task in items]) == (0, [[], []])
    assert [len(deliveries.of_task(task)) for task in rest] == [1]
    assert states(batches, other) == [State.QUEUED]


def test_an_item_under_legal_hold_keeps_the_whole_batch(batches: Batches, database: Database, clock: FakeClock) -> None:
    batch, items = added(batches, clock)
    OperatorRecords(database, clock).hold(items[2].id, ORIGIN, on=True)
    with pytest.raises(TaskHeld) as caught:
        batches.erase(batch, ORIGIN)
    assert caught.value.detail["task_id"] == items[2].id
    assert states(batches, batch) == [State.QUEUED] * 3
    batches.cancel("acme", batch.id, ORIGIN)
    clock.advance(7200)
    assert batches.with_old_inputs(Age(HOUR)) == []


def test_uploads_are_old_when_the_last_item_ended_long_enough_ago(
    batches: Batches, records: AllRecords, clock: FakeClock
) -> None:
    batch, items = added(batches, clock, 2)
    records.cancel("acme", items[0].id)
    clock.advance(3000)
    assert batches.with_old_inputs(Age(timedelta(0))) == [], "an item still needs them"
    records.cancel("acme", items[1].id)
    clock.advance(3000)
    assert batches.with_old_inputs(Age(HOUR)) == []
    clock.advance(3000)
    assert ids(batches.with_old_inputs(Age(HOUR))) == [batch.id]
    assert batches.kept([batch.id, new_id()]) == {batch.id: "acme"}
    batches.inputs_deleted(batch)
    assert (batches.with_old_inputs(Age(HOUR)), batches.kept([batch.id])) == ([], {})


def test_a_tenant_has_its_own_age(batches: Batches, database: Database, clock: FakeClock) -> None:
    batch, items = added(batches, clock, 2)
    batches.cancel("acme", batch.id, ORIGIN)
    clock.advance(5000)
    longer, shorter = Age(HOUR, {"acme": 2 * HOUR, "other": HOUR / 2}), Age(2 * HOUR, {"other": HOUR, "acme": HOUR})
    of_tasks = RetentionRecords(database, clock)
    assert (batches.with_old_inputs(longer), of_tasks.with_old_inputs(longer)) == ([], [])
    assert ids(batches.with_old_inputs(shorter)) == [batch.id]
    assert {task.id for task in of_tasks.with_old_inputs(shorter)} == {item.id for item in items}


def test_a_plan_has_its_own_age_and_a_tenant_comes_before_it(
    batches: Batches, database: Database, clock: FakeClock
) -> None:
    batch, _ = added(batches, clock, 1, plan="vip")
    old, _ = added(batches, clock, 1)
    for one in (batch, old):
        batches.cancel("acme", one.id, ORIGIN)
    clock.advance(5000)
    of_tasks = RetentionRecords(database, clock)

    def due(age: Age) -> set[str]:
        found = {str(task.batch) for task in of_tasks.with_old_inputs(age)}
        assert {one.id for one in batches.with_old_inputs(age)} == found
        return found

    assert due(Age(HOUR, plans={"vip": 2 * HOUR})) == {old.id}, "of an earlier release: it names no plan"
    assert due(Age(2 * HOUR, plans={"vip": HOUR, "trial": HOUR / 2})) == {batch.id}
    assert due(Age(2 * HOUR, {"acme": HOUR}, {"vip": 3 * HOUR})) == {batch.id, old.id}
    assert due(Age(2 * HOUR, {"acme": HOUR}, {"vip": HOUR}, {("acme", "vip"): 2 * HOUR})) == {old.id}
    assert due(Age(2 * HOUR, {"acme": HOUR}, {}, {("other", "vip"): 2 * HOUR})) == {batch.id, old.id}


def test_a_row_goes_when_its_uploads_and_the_last_record_of_an_item_have_gone(
    batches: Batches, database: Database, clock: FakeClock
) -> None:
    batch, _ = added(batches, clock, 2)
    batches.cancel("acme", batch.id, ORIGIN)
    clock.advance(7200)
    assert batches.delete_rows(Age(HOUR)) == 0
    batches.all_deleted(batch)
    assert batches.delete_rows(Age(HOUR)) == 0, "items have records"
    assert RetentionRecords(database, clock).delete_rows(Age(HOUR)) == 2
    assert (batches.get("acme", batch.id).counts, batches.delete_rows(Age(2 * HOUR))) == ({}, 0)
    assert batches.delete_rows(Age(HOUR)) == 1
    with pytest.raises(BatchNotFound):
        batches.get("acme", batch.id)


def ids(found: Sequence[Batch]) -> list[str]:
    return [batch.id for batch in found]
