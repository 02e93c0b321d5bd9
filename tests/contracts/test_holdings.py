"""What is held about somebody, on every database."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import insert
from tests.tasks.fakes import AllRecords, FakeClock, a_task

from facefleet.tasks.audit import Origin
from facefleet.tasks.holdings import TABLES, Holder, Holding, Holdings, TenantHoldings
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import row_of
from facefleet.tasks.tables.table import metadata, tasks
from facefleet.tasks.task import Task


def added(records: AllRecords, clock: FakeClock, tenant: str, subject: str) -> Task:
    task = replace(a_task(clock(), tenant=tenant), subject=subject)
    return records.add(task, origin=Origin(subject, tenant))


def test_every_table_with_a_tenant_is_among_them() -> None:
    assert set(TABLES) == set(Holding)
    assert {table for table in metadata.tables.values() if "tenant" in table.c} == set(TABLES.values())


def test_tenants_are_counted_by_name(records: AllRecords, database: Database, clock: FakeClock) -> None:
    erased = added(records, clock, "initech", "bob")
    added(records, clock, "acme", "alice")
    RetentionRecords(database, clock).erase(erased, Origin("root", "ops"))
    assert Holdings(database).tenants() == [
        TenantHoldings("acme", tasks=1, entries=1), TenantHoldings("initech", tasks=1, erased=1, entries=2),
        TenantHoldings("ops", entries=1),
    ]  # fmt: skip


def test_rows_are_those_of_a_tenant_or_of_a_subject_of_it(
    records: AllRecords, database: Database, clock: FakeClock
) -> None:
    alice, carol = added(records, clock, "acme", "alice"), added(records, clock, "acme", "carol")
    added(records, clock, "initech", "carol")
    holdings = Holdings(database)

    def ids(holder: Holder, holding: Holding, *, erasable: bool = False) -> set[str]:
        return {row["id"] for row in holdings.rows(holder, holding, erasable=erasable)}

    assert ids(Holder("acme"), Holding.TASKS) == {alice.id, carol.id}
    assert ids(Holder("acme", "carol"), Holding.TASKS) == {carol.id}
    RetentionRecords(database, clock).erase(carol, Origin("root"))
    assert ids(Holder("acme"), Holding.TASKS, erasable=True) == {alice.id}
    objects = {row["object"] for row in holdings.rows(Holder("acme", "carol"), Holding.AUDIT)}
    assert objects == {carol.id}
    assert len(ids(Holder("acme"), Holding.AUDIT)) == 3
    for holding in (Holding.BATCHES, Holding.TEMPLATES, Holding.DELIVERIES):
        assert ids(Holder("acme", "carol"), holding) == set()


def test_many_rows_are_gone_through_once(records: AllRecords, database: Database, clock: FakeClock) -> None:
    with database.write() as connection:
        connection.execute(insert(tasks), [row_of(a_task(clock())) for _ in range(2 * CHUNK + 1)])
    found = [row["id"] for row in Holdings(database).rows(Holder("acme"), Holding.TASKS)]
    assert (len(found), found) == (2 * CHUNK + 1, sorted(set(found)))
