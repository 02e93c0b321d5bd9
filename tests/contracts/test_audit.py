"""What the audit log must do on every database: each change has its entry, and nothing can be changed unnoticed."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from tests.tasks.fakes import ORIGIN, AllRecords, FakeClock, a_task

from facefleet.errors.conflict import TaskHeld
from facefleet.errors.input import OptionInvalid
from facefleet.errors.outage import RecordsUnavailable
from facefleet.observability.metrics import Metrics
from facefleet.tasks.audit import FIELDS, SERVICE, Action, Entry, Origin
from facefleet.tasks.batches import Batch, Batches
from facefleet.tasks.ids import new_id
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.seals import GENESIS, Seals
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import audit
from facefleet.tasks.tables.table import seals as seals_table
from facefleet.tasks.task import Task
from facefleet.upkeep.operations import Control
from facefleet.upkeep.sealer import Sealer
from facefleet.upkeep.verification import PASS_SEALS, Fault, Verification, verify

HALF_A_YEAR = timedelta(days=184)


@pytest.fixture
def log(database: Database, clock: FakeClock) -> AuditLog:
    return AuditLog(database, clock)


@pytest.fixture
def seals(database: Database, clock: FakeClock) -> Seals:
    return Seals(database, clock)


@pytest.fixture
def sealer(seals: Seals, clock: FakeClock) -> Sealer:
    return Sealer(seals, Metrics(CollectorRegistry()), clock, HALF_A_YEAR)


def entries(log: AuditLog, **wanted: Any) -> list[Entry]:
    """Oldest first."""
    return list(log.entries(AuditFilter(**wanted)))


def written(log: AuditLog, clock: FakeClock, count: int = 4) -> list[Entry]:
    for number in range(count):
        clock.advance(1)
        log.record(ORIGIN, Action.RESULT_READ, f"task {number}", tenant="acme")
    return entries(log)[-count:]


# ── entries ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_field_survives_the_round_trip(log: AuditLog, clock: FakeClock) -> None:
    log.record(ORIGIN, Action.TASK_ERASE, "it", tenant="initech", refused="task_held")
    (entry,) = entries(log)
    assert (entry.at, entry.actor, entry.actor_tenant, entry.credential) == (
        "2026-11-02T09:30:00.000Z", "alice", "acme", "key-1",
    )  # fmt: skip
    assert (entry.address, entry.trace_id) == (ORIGIN.address, ORIGIN.trace_id)
    assert (entry.tenant, entry.action, entry.object, entry.outcome, entry.code) == (
        "initech", "task.erase", "it", "refused", "task_held",
    )  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{64}", entry.digest())


def test_what_no_database_can_keep_is_kept_as_far_as_it_can(log: AuditLog) -> None:
    log.record(Origin("a\0b\udcff" + "x" * 300), Action.ACCESS, "/v1/tasks/\0" + "é" * 300)
    (entry,) = entries(log)
    assert (entry.actor[:5], len(entry.actor), len(entry.object or "")) == ("a?b?x", 255, 255)


def test_a_task_and_its_entry_are_committed_together_or_not_at_all(
    records: AllRecords, log: AuditLog, clock: FakeClock, database: Database
) -> None:
    task = records.add(a_task(clock()))
    (entry,) = entries(log)
    assert (entry.action, entry.object, entry.tenant, entry.consent) == ("task.create", task.id, "acme", "alice")
    with pytest.raises(IntegrityError):
        records.add(task)
    clock.advance(1)
    twin = records.add(a_task(clock(), idempotency_key="k"))
    assert records.add(a_task(clock(), idempotency_key="k")) == twin
    assert [one.object for one in entries(log)] == [task.id, twin.id], "what was not made has no entry"
    _refuse_entries(database)
    with pytest.raises((DBAPIError, RecordsUnavailable)):
        records.add(lost := a_task(clock()))
    assert records.of_ids([lost.id]) == [], "without its entry nothing is made"


def _refuse_entries(database: Database) -> None:
    """From now on no entry can be written."""
    with database.write() as connection:
        connection.execute(text('ALTER TABLE audit RENAME COLUMN "actor" TO "nobody"'))


def _changes(
    records: AllRecords, database: Database, clock: FakeClock, task: Task
) -> dict[Action, Callable[[], object]]:
    control, retention = Control(database, clock), RetentionRecords(database, clock)
    return {
        Action.TASK_CANCEL: lambda: records.cancel(task.tenant, task.id, ORIGIN),
        Action.TASK_REQUEUE: lambda: control.tasks.requeue(task.id, ORIGIN),
        Action.TASK_HOLD: lambda: control.tasks.hold(task.id, ORIGIN, on=True),
        Action.TASK_RELEASE: lambda: control.tasks.hold(task.id, ORIGIN, on=False),
        Action.LANE_PAUSE: lambda: control.pause("bulk", ORIGIN),
        Action.LANE_RESUME: lambda: control.resume("bulk", ORIGIN),
        Action.MAINTENANCE_BEGIN: lambda: control.begin_maintenance(ORIGIN),
        Action.MAINTENANCE_END: lambda: control.end_maintenance(ORIGIN),
        Action.TASK_ERASE: lambda: retention.erase(task, ORIGIN),
    }


def test_every_change_has_one_entry_and_what_changes_nothing_has_none(
    records: AllRecords, log: AuditLog, clock: FakeClock, database: Database
) -> None:
    task = records.add(a_task(clock()))
    for action, change in _changes(records, database, clock, task).items():
        before = len(entries(log))
        clock.advance(1)
        change()
        assert [one.action for one in entries(log)[before:]] == [action]
        assert entries(log)[-1].object in (task.id, "stable.bulk", None)
    for again in (Action.LANE_RESUME, Action.MAINTENANCE_END, Action.TASK_ERASE, Action.TASK_RELEASE):
        before = len(entries(log))
        _changes(records, database, clock, task)[again]()
        assert len(entries(log)) == before, again


def test_a_change_whose_entry_cannot_be_written_does_not_happen(
    records: AllRecords, clock: FakeClock, database: Database
) -> None:
    task = records.add(a_task(clock()))
    _refuse_entries(database)
    for action in (Action.TASK_CANCEL, Action.TASK_HOLD, Action.LANE_PAUSE, Action.TASK_ERASE):
        with pytest.raises((DBAPIError, RecordsUnavailable)):
            _changes(records, database, clock, task)[action]()
    assert records.get(task.tenant, task.id) == task
    assert Control(database, clock).lanes()[2].paused_since is None


def test_an_erasure_under_hold_is_refused_and_written_down(
    records: AllRecords, log: AuditLog, clock: FakeClock, database: Database
) -> None:
    batches, batch_id = Batches(database, clock), new_id()
    batch = batches.add(
        Batch(batch_id, "acme", "alice", 1, {}, {}, clock()), [a_task(clock(), batch=batch_id, item=0)], ORIGIN
    )
    (task,) = batches.items(batch)
    Control(database, clock).tasks.hold(task.id, ORIGIN, on=True)
    for erase in (lambda: RetentionRecords(database, clock).erase(task, ORIGIN), lambda: batches.erase(batch, ORIGIN)):
        clock.advance(1)
        with pytest.raises(TaskHeld):
            erase()  # type: ignore[no-untyped-call]
    assert [(one.action, one.outcome, one.code) for one in entries(log)[-2:]] == [
        ("task.erase", "refused", "task_held"), ("batch.erase", "refused", "task_held"),
    ]  # fmt: skip
    assert records.get("acme", task.id).erased_at is None


def test_a_batch_has_one_entry_for_all_its_items(log: AuditLog, clock: FakeClock, database: Database) -> None:
    batches, batch_id = Batches(database, clock), new_id()
    batch = batches.add(
        Batch(batch_id, "acme", "alice", 3, {}, {}, clock()),
        [a_task(clock(), batch=batch_id, item=item) for item in range(3)], ORIGIN,
    )  # fmt: skip
    for change in (lambda: batches.cancel("acme", batch_id, ORIGIN), lambda: batches.erase(batch, ORIGIN)):
        clock.advance(1)
        change()
        change()
    assert [one.action for one in entries(log, object=batch_id)] == ["batch.create", "batch.cancel", "batch.erase"]
    assert len(entries(log)) == 3


def test_what_retention_deletes_is_the_service_s_own_doing(
    records: AllRecords, log: AuditLog, clock: FakeClock, database: Database
) -> None:
    task, retention = records.add(a_task(clock())), RetentionRecords(database, clock)
    for _ in range(2):
        clock.advance(1)
        retention.inputs_deleted(task, expired=True)
    retention.inputs_deleted(records.add(a_task(clock())))
    expired = [one for one in entries(log) if one.actor == SERVICE.actor]
    assert [(one.action, one.object, one.tenant) for one in expired] == [("inputs.expire", task.id, "acme")]


# ── the list ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_entries_are_filtered_and_listed_page_by_page(log: AuditLog, clock: FakeClock) -> None:
    made = written(log, clock, 5)
    clock.advance(1)
    log.record(Origin("bob", "initech"), Action.LANE_PAUSE, "stable.bulk", tenant="")
    first = log.page(AuditFilter(), None, 2)
    assert [one.object for one in first.rows] == ["stable.bulk", "task 4"]
    second = log.page(AuditFilter(), first.next_cursor, 10)
    assert ([one.object for one in second.rows], second.next_cursor) == ([f"task {n}" for n in (3, 2, 1, 0)], None)
    assert entries(log, tenant="acme") == made
    assert [one.actor for one in entries(log, tenant="")] == ["bob"]
    assert entries(log, action=Action.RESULT_READ, object="task 3", actor="alice") == [made[3]]
    third = datetime.fromisoformat(made[2].at)
    assert entries(log, before=third) == made[:2]
    assert entries(log, after=third) == [*made[2:], *entries(log, tenant="")]
    with pytest.raises(OptionInvalid):
        log.page(AuditFilter(), "17", 2)


# ── seals ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_seals_cover_every_entry_once_and_hang_together(
    log: AuditLog, seals: Seals, sealer: Sealer, clock: FakeClock
) -> None:
    assert seals.seal() is None, "nothing to seal is no seal"
    made = []
    for _ in range(3):
        made += written(log, clock)
        sealer.seal()
    chain = list(seals.chain())
    assert [seal.number for seal in chain] == [1, 2, 3]
    assert [seal.previous for seal in chain] == [GENESIS, chain[0].hash, chain[1].hash]
    assert [one for seal in chain for one in seals.entries(seal.number)] == made
    found = verify(seals, chain[0].hash)
    assert (found.valid, found.seals, found.entries, found.unsealed, found.head) == (True, 3, 12, 0, chain[2].hash)
    registry = sealer.metrics.registry
    labels = {"action": "result.read", "outcome": "ok"}
    assert registry.get_sample_value("facefusion_audit_entries_total", labels) == 12
    assert registry.get_sample_value("facefusion_audit_seals_total") == 3


def test_a_seal_holds_a_limited_number_of_entries(
    log: AuditLog, seals: Seals, sealer: Sealer, monkeypatch: pytest.MonkeyPatch, database: Database, clock: FakeClock
) -> None:
    made = [ORIGIN.entry(Action.RESULT_READ, clock(), str(number)).values() for number in range(1_200)]
    with database.write() as connection:
        connection.execute(insert(audit), made)
    assert seals.oldest_unsealed() == "2026-11-02T09:30:00.000Z"
    sealer.seal()
    assert [seal.count for seal in seals.chain()] == [500, 500, 200]
    assert seals.oldest_unsealed() is None
    assert verify(seals).valid


def test_an_entry_that_is_committed_late_is_part_of_the_next_seal(
    log: AuditLog, seals: Seals, sealer: Sealer, clock: FakeClock, database: Database
) -> None:
    """Its id is older than those that are sealed already; nobody has to wait until nothing so old can come."""
    begun = ORIGIN.entry(Action.RESULT_READ, clock(), "slow")
    written(log, clock)
    sealer.seal()
    with database.write() as connection:
        connection.execute(insert(audit), begun.values())
    sealer.seal()
    assert [[one.object for one in seals.entries(number)] for number in (1, 2)] == [
        ["task 0", "task 1", "task 2", "task 3"], ["slow"],
    ]  # fmt: skip
    found = verify(seals)
    assert (found.valid, found.late) == (True, [])


def test_an_entry_that_claims_to_be_older_than_a_slow_writer_can_explain_is_told(
    log: AuditLog, seals: Seals, sealer: Sealer, clock: FakeClock, database: Database
) -> None:
    forged = ORIGIN.entry(Action.RESULT_READ, clock() - timedelta(days=30), "of last month")
    written(log, clock)
    sealer.seal()
    with database.write() as connection:
        connection.execute(insert(audit), forged.values())
    sealer.seal()
    assert verify(seals).late == [forged.id]


def test_many_writers_and_sealers_at_once_make_one_whole_chain(
    records: AllRecords, log: AuditLog, seals: Seals, clock: FakeClock, database: Database
) -> None:
    """Sealers race each other and the writers; every entry ends in exactly one seal."""
    done, writers, each = Event(), 6, 25

    def write(_: int) -> list[str]:
        return [records.add(a_task(clock())).id for _ in range(each)]

    def seal(_: int) -> int:
        made = 0
        while not done.wait(0.01):
            made += seals.seal() is not None
        return made

    with ThreadPoolExecutor(writers + 3) as pool:
        sealing = [pool.submit(seal, number) for number in range(3)]
        ids = [task_id for made in pool.map(write, range(writers)) for task_id in made]
        done.set()
        assert sum(one.result() for one in sealing) > 1
    while seals.seal():
        pass
    found = verify(seals)
    assert (found.valid, found.entries, found.unsealed) == (True, writers * each, 0)
    sealed = [one.object for seal in seals.chain() for one in seals.entries(seal.number)]
    assert sorted(filter(None, sealed)) == sorted(ids)


# ── tampering ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def chained(log: AuditLog, seals: Seals, sealer: Sealer, clock: FakeClock, database: Database) -> list[Entry]:
    """Three seals over four entries each, in a database whose owner has taken away what protects them."""
    made = []
    for _ in range(3):
        made += written(log, clock)
        sealer.seal()
    assert verify(seals).valid
    with database.write() as connection:
        for table in ("audit", "audit_seals"):
            for event in ("update", "delete"):
                sqlite = database.engine.dialect.name == "sqlite"
                connection.execute(text(f"DROP TRIGGER {table}_{event}" + ("" if sqlite else f" ON {table}")))
    return made


def found(verification: Verification) -> list[tuple[Fault, int | None, str | None]]:
    return [(one.fault, one.seal, one.entry) for one in verification.findings]


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "id"])
def test_an_edited_column_is_found_and_named(name: str, chained: list[Entry], seals: Seals, database: Database) -> None:
    for entry, seal in ((chained[0], 1), (chained[5], 2), (chained[-1], 3)):
        other = None if getattr(entry, name) and audit.c[name].nullable else "other"
        with database.write() as connection:
            connection.execute(update(audit).where(audit.c.id == entry.id).values({name: other}))
        assert (Fault.EDITED, seal, entry.id) in found(verify(seals))
    assert len(found(verify(seals))) == 3


def test_an_edited_id_is_an_entry_removed_and_one_inserted(
    chained: list[Entry], seals: Seals, database: Database
) -> None:
    with database.write() as connection:
        connection.execute(update(audit).where(audit.c.id == chained[0].id).values(id=(forged := new_id())))
    assert found(verify(seals)) == [(Fault.INSERTED, 1, forged), (Fault.REMOVED, 1, chained[0].id)]


@pytest.mark.parametrize("number", [0, 3, 4, 6, 8, 11], ids=str)
def test_a_removed_entry_is_found_and_named(
    number: int, chained: list[Entry], seals: Seals, database: Database
) -> None:
    with database.write() as connection:
        connection.execute(delete(audit).where(audit.c.id == chained[number].id))
    assert found(verify(seals)) == [(Fault.REMOVED, number // 4 + 1, chained[number].id)]


def test_swapped_entries_are_found(chained: list[Entry], seals: Seals, database: Database) -> None:
    """Whatever is exchanged: their contents within a seal, or the seals that they are in."""
    one, other = chained[1], chained[2]
    with database.write() as connection:
        for entry, content in ((one, other), (other, one)):
            values = {name: value for name, value in content.values().items() if name != "id"}
            connection.execute(update(audit).where(audit.c.id == entry.id).values(values))
    assert found(verify(seals)) == [(Fault.EDITED, 1, one.id), (Fault.EDITED, 1, other.id)]


def test_entries_that_change_their_seals_are_found(chained: list[Entry], seals: Seals, database: Database) -> None:
    with database.write() as connection:
        for entry, number in ((chained[3], 2), (chained[4], 1)):
            connection.execute(update(audit).where(audit.c.id == entry.id).values(seal=number))
    assert set(found(verify(seals))) == {
        (Fault.REMOVED, 1, chained[3].id), (Fault.INSERTED, 2, chained[3].id),
        (Fault.REMOVED, 2, chained[4].id), (Fault.INSERTED, 1, chained[4].id),
    }  # fmt: skip


@pytest.mark.parametrize("seal", [1, 2, 3, 4])
def test_an_inserted_entry_is_found(seal: int, chained: list[Entry], seals: Seals, database: Database) -> None:
    assert chained
    forged = ORIGIN.entry(Action.RESULT_READ, FakeClock()(), "forged")
    with database.write() as connection:
        connection.execute(insert(audit), {**forged.values(), "seal": seal})
    assert found(verify(seals)) == [(Fault.INSERTED, seal, forged.id)]


@pytest.mark.parametrize("name", ["sealed_at", "count", "first", "last", "content", "previous", "hash", "digests"])
def test_an_edited_seal_is_found(name: str, chained: list[Entry], seals: Seals, database: Database) -> None:
    assert chained
    other = 17 if name == "count" else "other"
    with database.write() as connection:
        connection.execute(update(seals_table).where(seals_table.c.number == 2).values({name: other}))
    assert (Fault.SEAL_EDITED, 2, None) in found(verify(seals))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_removed_seal_is_found(number: int, chained: list[Entry], seals: Seals, database: Database) -> None:
    head = list(seals.chain())[-1].hash
    with database.write() as connection:
        connection.execute(delete(seals_table).where(seals_table.c.number == number))
    faults = found(verify(seals, head))
    missing = (Fault.SEAL_MISSING, number, None) if number < 3 else (Fault.TRUNCATED, None, None)
    assert missing in faults
    first = 4 * (number - 1)
    assert {(Fault.INSERTED, number, one.id) for one in chained[first : first + 4]} <= set(faults)


def test_a_log_that_was_cut_off_is_found_by_a_seal_that_was_logged(
    chained: list[Entry], seals: Seals, database: Database
) -> None:
    head = verify(seals).head
    with database.write() as connection:
        connection.execute(delete(audit).where(audit.c.seal == 3))
        connection.execute(delete(seals_table).where(seals_table.c.number == 3))
    assert verify(seals).valid, "without the seal nobody can tell"
    assert found(verify(seals, head)) == [(Fault.TRUNCATED, None, None)]


def test_a_chain_that_was_made_anew_over_edited_entries_is_found_by_a_seal_that_was_logged(
    chained: list[Entry], seals: Seals, database: Database, clock: FakeClock
) -> None:
    head = verify(seals).head
    with database.write() as connection:
        connection.execute(delete(seals_table))
        connection.execute(update(audit).where(audit.c.id == chained[2].id).values(actor="mallory"))
        connection.execute(update(audit).values(seal=None))
    while seals.seal():
        clock.advance(1)
    assert verify(seals).valid
    assert found(verify(seals, head)) == [(Fault.TRUNCATED, None, None)]


def test_entries_that_somebody_lets_expire_by_hand_are_found(
    chained: list[Entry], seals: Seals, database: Database
) -> None:
    assert chained
    with database.write() as connection:
        gone = update(seals_table).where(seals_table.c.number == 1)
        connection.execute(gone.values(removed_at="2026-11-02T09:31:00.000Z", digests=""))
        connection.execute(delete(audit).where(audit.c.seal == 1))
    assert found(verify(seals)) == [(Fault.REMOVED, 1, None)]


@pytest.mark.parametrize(
    "statement",
    [
        delete(audit), update(audit).values(actor="mallory"), update(audit).values(seal=None),
        update(audit).values(seal=7), delete(seals_table), update(seals_table).values(hash="0" * 64),
        update(seals_table).values(number=17),
    ],
    ids=str,
)  # fmt: skip
def test_the_database_itself_refuses_to_change_what_is_sealed(
    statement: Any, log: AuditLog, seals: Seals, sealer: Sealer, clock: FakeClock, database: Database
) -> None:
    written(log, clock)
    sealer.seal()
    with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(statement)
    assert verify(seals).valid


def test_an_entry_that_is_not_sealed_yet_cannot_be_edited_either(
    log: AuditLog, clock: FakeClock, database: Database
) -> None:
    made = written(log, clock)
    for statement in (update(audit).values(seal=1, actor="mallory"), delete(audit)):
        with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
            connection.execute(statement)
    assert entries(log) == made


def test_gateways_find_it_in_passing(chained: list[Entry], sealer: Sealer, database: Database) -> None:
    assert sealer.verify(0) == 0, "the end of a short log"
    with database.write() as connection:
        connection.execute(update(audit).where(audit.c.id == chained[5].id).values(actor="mallory"))
    sample = sealer.metrics.registry.get_sample_value
    assert sample("facefusion_audit_faults_total", {"fault": "edited"}) is None
    sealer.verify(2)
    assert sample("facefusion_audit_faults_total", {"fault": "edited"}) is None, "it is before those"
    sealer.verify(0)
    assert sample("facefusion_audit_faults_total", {"fault": "edited"}) == 1


def test_a_pass_through_a_long_log_goes_on_where_it_ended(
    log: AuditLog, seals: Seals, clock: FakeClock, sealer: Sealer
) -> None:
    for _ in range(PASS_SEALS + 3):
        written(log, clock, 1)
        seals.seal()
    assert sealer.verify(0) == PASS_SEALS
    assert sealer.verify(PASS_SEALS) == 0


# ── retention ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_entries_go_by_whole_seals_when_their_time_is_over_and_the_log_says_so(
    log: AuditLog, seals: Seals, sealer: Sealer, clock: FakeClock, database: Database
) -> None:
    for _ in range(2):
        written(log, clock)
        sealer.seal()
    hashes = [seal.hash for seal in seals.chain()]
    clock.advance(HALF_A_YEAR.total_seconds() - 60)
    young = written(log, clock)
    sealer.seal()
    sealer.expire()
    assert len(entries(log)) == 12, "not yet"
    clock.advance(120)
    sealer.expire()
    sealer.expire()
    kept = entries(log)
    assert kept[:4] == young
    assert [(one.actor, one.action, one.object) for one in kept[4:]] == [("facefleet", "audit.expire", "2")]
    for _ in range(2):
        done = verify(seals, hashes[0])
        assert (done.valid, done.expired_through, done.entries) == (True, 2, 4 + done.seals - 3)
        sealer.seal()
    with database.read() as connection:
        left = connection.execute(select(seals_table.c.digests).where(seals_table.c.number <= 2)).all()
    assert left == [("",), ("",)]
    sample = sealer.metrics.registry.get_sample_value("facefusion_deleted_total", {"what": "audit"})
    assert sample == 8


def test_a_seal_of_a_gateway_whose_clock_was_behind_does_not_go_before_those_before_it(
    log: AuditLog, seals: Seals, sealer: Sealer, clock: FakeClock
) -> None:
    written(log, clock)
    sealer.seal()
    clock.advance(-120)
    written(log, clock)
    sealer.seal()
    clock.advance(HALF_A_YEAR.total_seconds() + 60)
    sealer.expire()
    assert [seal.removed_at for seal in seals.chain()] == [None, None], "the second is old, the first is not"
    assert verify(seals).valid


def test_the_word_of_retention_outlives_itself(log: AuditLog, seals: Seals, sealer: Sealer, clock: FakeClock) -> None:
    """The entry that says what was removed is removed in its turn; the next one says that all before it were."""
    for _ in range(4):
        written(log, clock)
        sealer.seal()
        clock.advance(HALF_A_YEAR.total_seconds() + 60)
        sealer.expire()
        assert verify(seals).valid
    assert [one.action for one in entries(log)] == ["audit.expire"]
