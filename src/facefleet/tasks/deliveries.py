"""Keeps the deliveries: one row for each event of a task that its webhook asked for, made from the record alone.

A record's ``announced_state`` is the state that deliveries were last made for, so a change whose gateway died before it
made them is noticed in the next round. A delivery is claimed by one conditional UPDATE that counts the attempt and sets
``next_at`` after the attempt's time limit; only the gateway with the current count can write the outcome.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import RowMapping, and_, func, insert, select, update

from facefleet.clock import Clock
from facefleet.errors.lookup import DeliveryNotFound
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.ids import is_id, new_id
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.records.changes import param, params
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import deliveries, tasks
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

LOG_LENGTH = 30  # attempts that are remembered: a day of retries, and replays

_UNANNOUNCED = and_(tasks.c.webhook_url.is_not(None), tasks.c.announced_state != tasks.c.state)
# In an order that no other index has: PostgreSQL, which cannot know how rare these are, would read the whole table.
_IN_ORDER = (tasks.c.announced_state, tasks.c.id)
_ANY_UNANNOUNCED = select(tasks.c.id).where(_UNANNOUNCED).order_by(*_IN_ORDER).limit(1)
# A record that another gateway announces, or a worker changes, is left for the next round: no wait for its lock.
_TO_ANNOUNCE = select(tasks).where(_UNANNOUNCED).order_by(*_IN_ORDER).limit(CHUNK).with_for_update(skip_locked=True)
_MARK_ANNOUNCED = update(tasks).where(tasks.c.id == param("task_id")).values(announced_state=param("state"))


class DeliveryState(StrEnum):
    """Where a delivery is in its life."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver.

    Attributes:
        at: UTC.
        status: HTTP status of the answer; none without an answer.
        error: Why it does not count as delivered.
        ms: How long it took.
    """

    at: datetime
    status: int | None
    error: str | None
    ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event to be delivered to one URL.

    Attributes:
        id: The same in every attempt, so that receivers recognise a repetition.
        event: The state the task had come to.
        version: Of the record when the event was noticed.
        host: Of the URL.
        attempts: Begun so far.
        log: The last attempts whose outcome is known, oldest first.
        next_at: When it is due; while an attempt is under way, when that counts as lost.
        happened_at: When the task came to this state, as far as the record tells.
        ended_at: When it was delivered or given up.
    """

    id: str
    tenant: str
    task: str
    event: State
    version: int
    url: str
    host: str
    state: DeliveryState
    attempts: int
    log: tuple[Attempt, ...]
    next_at: datetime | None
    happened_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pending:
    """The deliveries that have not ended.

    Attributes:
        count: Deliveries.
        due_since: Earliest ``next_at`` of them; none where there are none.
    """

    count: int
    due_since: datetime | None


class Deliveries:
    """The deliveries of one database.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    # ── the deliverer ────────────────────────────────────────────────────────────────────────────────────────────

    def announce(self) -> int:
        """Make the deliveries for all changes since any gateway last did; returns how many."""
        with self._database.read() as connection:  # no lock is taken when there is nothing to do
            if connection.execute(_ANY_UNANNOUNCED).first() is None:
                return 0
        with self._database.write() as connection:
            changed = [task_of(row) for row in connection.execute(_TO_ANNOUNCE).mappings()]
            made = [row for task in changed if (row := self._row_of(task)) is not None]
            if changed:
                connection.execute(_MARK_ANNOUNCED, [params(task_id=task.id, state=task.state) for task in changed])
            if made:
                connection.execute(insert(deliveries), made)
        return len(made)

    def due(self, limit: int, busy_hosts: Collection[str]) -> list[Delivery]:
        """Pending deliveries that are due, the most overdue first, without those to the busy hosts."""
        c = deliveries.c
        due = and_(c.state == DeliveryState.PENDING, c.next_at <= self._clock(), c.host.not_in(busy_hosts))
        with self._database.read() as connection:
            rows = connection.execute(select(deliveries).where(due).order_by(c.next_at).limit(limit)).mappings()
            return [delivery_of(row) for row in rows]

    def claim(self, due: Sequence[Delivery], lease: timedelta) -> list[Delivery]:
        """Begin an attempt of each; those that another gateway began meanwhile are left out."""
        won = []
        with self._database.write() as connection:
            for delivery in due:
                begun = {"attempts": delivery.attempts + 1, "next_at": self._clock() + lease}
                claim = update(deliveries).where(_same_attempt(delivery)).values(begun).returning(deliveries)
                row = connection.execute(claim).mappings().one_or_none()
                if row is not None:
                    won.append(delivery_of(row))
        return won

    def record(self, delivery: Delivery, attempt: Attempt, state: DeliveryState, next_at: datetime | None) -> bool:
        """Write the outcome of a claimed attempt; false when it was lost to another, or the task was erased."""
        log = [_log_entry(past) for past in (*delivery.log, attempt)][-LOG_LENGTH:]
        ended_at = None if state is DeliveryState.PENDING else self._clock()
        changes = {"state": state, "log": log, "next_at": next_at, "ended_at": ended_at}
        with self._database.write() as connection:
            done = connection.execute(update(deliveries).where(_same_attempt(delivery)).values(changes))
            return bool(done.rowcount)

    def task_of(self, delivery: Delivery) -> Task | None:
        """The record that a delivery is about; none when it was deleted or erased."""
        with self._database.read() as connection:
            row = connection.execute(select(tasks).where(tasks.c.id == delivery.task)).mappings().one_or_none()
        task = None if row is None else task_of(row)
        return None if task is None or task.erased_at is not None else task

    # ── owner of the task, and monitoring ────────────────────────────────────────────────────────────────────────

    def of_task(self, task: Task) -> list[Delivery]:
        """All deliveries of a task, oldest first."""
        mine = and_(deliveries.c.task == task.id, deliveries.c.tenant == task.tenant)
        with self._database.read() as connection:
            rows = connection.execute(select(deliveries).where(mine).order_by(deliveries.c.id)).mappings()
            return [delivery_of(row) for row in rows]

    def replay(self, task: Task, delivery_id: str, origin: Origin) -> Delivery:
        """Make a delivery due now, in any state; its remaining retries follow.

        Raises:
            DeliveryNotFound: The task has none of this id.
        """
        if not is_id(delivery_id) or not any(delivery.id == delivery_id for delivery in self.of_task(task)):
            raise _not_found(delivery_id)
        now = self._clock()
        anew = {"state": DeliveryState.PENDING, "next_at": now, "ended_at": None}
        again = update(deliveries).where(deliveries.c.id == delivery_id).values(anew)
        with self._database.write() as connection:
            row = connection.execute(again.returning(deliveries)).mappings().one_or_none()
            if row is not None:
                write_entry(connection, origin.entry(Action.WEBHOOK_REPLAY, now, task.id, tenant=task.tenant))
        if row is None:  # erased meanwhile
            raise _not_found(delivery_id)
        return delivery_of(row)

    def pending(self) -> Pending:
        """How many are pending, and since when the first is due."""
        what = select(func.count(), func.min(deliveries.c.next_at)).where(deliveries.c.state == DeliveryState.PENDING)
        with self._database.read() as connection:
            return Pending(*connection.execute(what).one())

    def _row_of(self, task: Task) -> dict[str, Any] | None:
        if task.webhook is None or task.state not in task.webhook.events:
            return None
        happened_at = {State.QUEUED: task.created_at, State.RUNNING: task.started_at}.get(task.state, task.finished_at)
        return {
            "id": new_id(), "tenant": task.tenant, "task": task.id, "event": task.state.value, "version": task.version,
            "url": task.webhook.url, "host": urlsplit(task.webhook.url).hostname or "",
            "state": DeliveryState.PENDING.value, "attempts": 0, "log": [], "next_at": self._clock(),
            "happened_at": happened_at or self._clock(), "ended_at": None,
        }  # fmt: skip


def _same_attempt(delivery: Delivery) -> Any:
    c = deliveries.c
    return and_(c.id == delivery.id, c.attempts == delivery.attempts, c.state == DeliveryState.PENDING)


def delivery_of(row: RowMapping) -> Delivery:
    """The delivery of a row."""
    values = dict(row) | {
        "event": State(row["event"]),
        "state": DeliveryState(row["state"]),
        "log": tuple(Attempt(**entry | {"at": datetime.fromisoformat(entry["at"])}) for entry in row["log"]),
    }
    return Delivery(**values)


def _log_entry(attempt: Attempt) -> dict[str, Any]:
    return asdict(attempt) | {"at": attempt.at.isoformat()}


def _not_found(delivery_id: str) -> DeliveryNotFound:
    return DeliveryNotFound(f"There is no delivery {delivery_id[:64]!r} of this task.", delivery_id=delivery_id[:64])
