"""A clock that stands still until told, task records to test with, and what hears of their changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from facefleet.tasks.events import Wake
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.changes import Committed
from facefleet.tasks.records.claims import Claims
from facefleet.tasks.records.losses import Losses
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.routes import Route, shard_of
from facefleet.tasks.task import Consent, Task
from facefleet.tasks.transitions import Change

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


class AllRecords(TaskRepository, Claims, Losses):
    """The records as gateway, worker and sweeper see them, for a test that plays all three."""


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
