"""A clock that stands still until told, task records to test with, and what hears of their changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.sql.dml import Insert

from facefleet.tasks.audit import Action, Entry, Origin
from facefleet.tasks.events import Wake
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.changes import Committed
from facefleet.tasks.records.claims import Claims
from facefleet.tasks.records.losses import Losses
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.routes import Route, shard_of
from facefleet.tasks.task import Consent, Task
from facefleet.tasks.transitions import Actor, Change

START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LEASE = timedelta(seconds=30)


class FakeClock:
    """Time as the test says."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


ORIGIN = Origin("alice", "acme", "key-1", "203.0.113.7", "0af7651916cd43dd8448eb211c80319c")
"""Who asks in a test that is not about who asks."""


def an_entry(action: Action = Action.MAINTENANCE_BEGIN, object: str | None = None) -> Entry:  # noqa: A002
    """An entry of the audit log for a test that is not about it."""
    return ORIGIN.entry(action, START, object)


class AllRecords(TaskRepository, Claims, Losses):
    """The records as gateway, worker and sweeper see them, for a test that plays all three."""

    def add(self, task: Task, *beside: Insert, origin: Origin = ORIGIN) -> Task:
        """As of the repository; most tests do not mind who asks."""
        return super().add(task, *beside, origin=origin)

    def cancel(self, tenant: str, task_id: str, origin: Origin = ORIGIN, *, by: Actor = Actor.GATEWAY) -> Task:
        """As of the repository."""
        return super().cancel(tenant, task_id, origin, by=by)


class WakesHeard(list[Wake]):
    """A hook of the records that gathers what readers of changed records would be told."""

    def __call__(self, committed: Committed) -> None:
        if committed.change is not Change.ADD:
            self.append(committed.wake)


def a_task(now: datetime = START, /, **changes: Any) -> Task:
    """A new record."""
    task_id = changes.pop("id", None) or new_id()
    tenant = changes.pop("tenant", "acme")
    wanted: dict[str, Any] = {
        "id": task_id, "tenant": tenant, "subject": "alice", "kind": Kind.FUSE,
        "route": Route(changes.pop("track", "stable"), changes.pop("lane", "standard"), shard_of(tenant)),
        "options": {}, "inputs": {"source": f"tenants/{tenant}/inputs/{task_id}/source"},
        "consent": Consent("alice", now), "now": now, "deadline": timedelta(minutes=15),
    }  # fmt: skip
    return Task.new(**(wanted | changes))
