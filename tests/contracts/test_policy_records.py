"""Policies in the records and the counts that their limits are held against, on every database."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from tests.tasks.fakes import FakeClock, a_task

from facefleet.access.policy import Policy, Scope, TenantPolicy
from facefleet.access.policy_lookup import FRESH_SECONDS, PolicyLookup
from facefleet.access.policy_records import PolicyRecords
from facefleet.errors.limits import BacklogFull, QuotaExceeded
from facefleet.errors.outage import RecordsUnavailable
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import policies
from facefleet.tasks.tenant_load import BYTES_SECONDS, WAITING_SECONDS, TenantLoad

OPS = Origin("ops", "platform")


class Monotonic:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_policy_is_set_changed_and_cleared_with_an_entry_each(database: Database, clock: FakeClock) -> None:
    records = PolicyRecords(database, clock)
    records.put(Scope.TENANT, "acme", TenantPolicy(plan="vip", backlog=5), OPS)
    records.put(Scope.PLAN, "acme", Policy(backlog=None), OPS)
    records.put(Scope.TENANT, "acme", TenantPolicy(backlog=6), OPS)
    (plan, tenant) = records.all()
    assert (plan.scope, plan.policy.given()) == (Scope.PLAN, {"backlog": None})
    assert (tenant.scope, tenant.name, tenant.policy, tenant.by) == (
        Scope.TENANT,
        "acme",
        TenantPolicy(backlog=6),
        "ops",
    )
    records.clear(Scope.TENANT, "acme", OPS)
    records.clear(Scope.TENANT, "acme", OPS)
    assert [one.scope for one in records.all()] == [Scope.PLAN]
    entries = AuditLog(database, clock).page(AuditFilter(), None, 10).rows
    assert Counter((one.action, one.tenant) for one in entries) == {
        (Action.POLICY_CLEAR, "acme"): 1, (Action.POLICY_SET, "acme"): 2, (Action.POLICY_SET, ""): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "field"),
    [({"body": {"backlog": 6, "mood": "good"}}, "mood"), ({"body": {"backlog": 6, "lane": "rocket"}}, "lane"),
     ({"scope": "planet"}, "scope")],
)  # fmt: skip
def test_what_a_newer_build_wrote_leaves_the_policies_that_were_read_last(
    database: Database, clock: FakeClock, written: dict[str, object], field: str
) -> None:
    records, monotonic = PolicyRecords(database, clock), Monotonic()
    records.put(Scope.TENANT, "acme", TenantPolicy(backlog=5), OPS)
    lookup = PolicyLookup(None, records.all, monotonic)
    assert lookup.of_tenant("acme").backlog == 5
    with database.write() as connection:
        connection.execute(update(policies).values(written))
    monotonic.now += FRESH_SECONDS
    assert lookup.of_tenant("acme").backlog == 5
    with pytest.raises(RecordsUnavailable, match="newer build") as unknown:
        records.all()
    assert (unknown.value.detail["name"], unknown.value.detail["fields"]) == ("acme", [field])
    with pytest.raises(RecordsUnavailable):
        PolicyLookup(None, records.all, monotonic).of_tenant("acme")
    records.put(Scope.TENANT, "acme", TenantPolicy(backlog=7), OPS)
    if field != "scope":
        monotonic.now += FRESH_SECONDS
        assert lookup.of_tenant("acme").backlog == 7


def test_waiting_tasks_count_against_their_own_tenant(database: Database, clock: FakeClock) -> None:
    records = TaskRepository(database, clock)
    for tenant in ("acme", "acme", "globex"):
        records.add(a_task(clock.now, tenant=tenant), origin=OPS)
    monotonic = Monotonic()
    load = TenantLoad(database, clock, monotonic)
    load.take_waiting("acme", 1, 3)
    with pytest.raises(BacklogFull) as full:
        load.take_waiting("acme", 1, 3)
    assert (full.value.detail["queued"], full.value.detail["limit"], full.value.status) == (3, 3, 429)
    load.take_waiting("globex", 2, 3)
    monotonic.now = WAITING_SECONDS  # the record was never committed: the next count has it no more
    load.take_waiting("acme", 1, 3)


def test_the_bytes_of_today_count_and_those_of_yesterday_do_not(database: Database, clock: FakeClock) -> None:
    clock.now = datetime(2026, 1, 2, 23, 0, tzinfo=UTC)
    records = TaskRepository(database, clock)
    records.add(a_task(clock.now - timedelta(days=1), tenant="acme", bytes_in=500), origin=OPS)
    records.add(a_task(clock.now, tenant="acme", bytes_in=300), origin=OPS)
    monotonic = Monotonic()
    load = TenantLoad(database, clock, monotonic)
    load.take_bytes("acme", 100, 400)
    with pytest.raises(QuotaExceeded) as used:
        load.take_bytes("acme", 1, 400)
    assert (used.value.detail["used"], used.value.detail["retry_after"]) == (400, 3600)
    clock.now += timedelta(hours=1)
    monotonic.now = BYTES_SECONDS
    load.take_bytes("acme", 400, 400)
