"""How many tasks of a tenant run at once, on every database and with claims that race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import insert
from tests.tasks.fakes import LEASE, ORIGIN, AllRecords, FakeClock, a_task

from facefleet.tasks.records.claims import LONGEST_WAIT, SHORTEST_WAIT, Postponed
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import row_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import Task


def waiting(records: AllRecords, clock: FakeClock, count: int, tenant: str = "acme") -> list[Task]:
    return [records.add(a_task(clock.now, tenant=tenant), origin=ORIGIN) for _ in range(count)]


def two_of_acme(tenant: str, _: str | None) -> int | None:
    return 2 if tenant == "acme" else None


def claimed(records: AllRecords, task: Task) -> Task | None:
    try:
        return records.claim(task.id, LEASE, {}, cap=two_of_acme)
    except Postponed:
        return None


def test_a_task_over_the_cap_waits_and_spends_nothing(database: Database, clock: FakeClock) -> None:
    records = AllRecords(database, clock)
    first, second, third = waiting(records, clock, 3)
    (other,) = waiting(records, clock, 1, "globex")
    held = claimed(records, first)
    assert held is not None
    assert claimed(records, second) is not None
    with pytest.raises(Postponed):
        records.claim(third.id, LEASE, {}, cap=two_of_acme)
    put_back = records.get("acme", third.id)
    assert (put_back.state, put_back.fence, put_back.failures, put_back.lost) == ("queued", 0, 0, 0)
    assert put_back.run_at == clock.now + SHORTEST_WAIT
    assert claimed(records, other) is not None, "another tenant's places are its own"
    assert records.unsent() == []
    clock.now += SHORTEST_WAIT
    assert [task.id for task in records.unsent()] == [third.id], "the sweeper sends it"
    assert records.succeed(held, "key", "image/jpeg", {})
    assert claimed(records, third) is not None


def test_the_plan_of_the_record_decides_and_one_of_an_earlier_release_has_none(
    database: Database, clock: FakeClock
) -> None:
    records = AllRecords(database, clock)
    first, of_plan, planless = (a_task(clock.now, plan=plan) for plan in (None, "trial", None))
    with database.write() as connection:  # as gateways of an earlier release go on writing them
        for task in (first, of_plan, planless):
            row = row_of(task)
            connection.execute(insert(tasks).values({n: v for n, v in row.items() if n != "plan" or v is not None}))

    def one_of_trial(tenant: str, plan: str | None) -> int | None:
        return 1 if (tenant, plan) == ("acme", "trial") else None

    assert records.claim(first.id, LEASE, {}, cap=one_of_trial) is not None
    with pytest.raises(Postponed):
        records.claim(of_plan.id, LEASE, {}, cap=one_of_trial)
    old = records.claim(planless.id, LEASE, {}, cap=one_of_trial)
    assert old is not None
    assert (old.plan, records.get("acme", of_plan.id).plan) == (None, "trial")


def test_the_more_wait_the_later_each_asks_again(database: Database, clock: FakeClock) -> None:
    records = AllRecords(database, clock)
    many = waiting(records, clock, 12)
    for task in many[:2]:
        claimed(records, task)
    assert claimed(records, many[2]) is None
    assert records.get("acme", many[2].id).run_at == clock.now + timedelta(seconds=2.5)
    assert timedelta(seconds=2.5) < LONGEST_WAIT


def test_claims_that_race_do_not_pass_the_cap(database: Database, clock: FakeClock) -> None:
    records = AllRecords(database, clock)
    tasks = waiting(records, clock, 8)
    with ThreadPoolExecutor(8) as pool:
        won = [task for task in pool.map(lambda task: claimed(records, task), tasks) if task is not None]
    assert len(won) == 2
