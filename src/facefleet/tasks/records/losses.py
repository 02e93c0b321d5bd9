"""Finds the tasks that the queue or a worker has lost, and requeues or fails them: the records for the sweeper."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from facefleet.errors.base import FacefleetError
from facefleet.tasks.records.base import Records
from facefleet.tasks.records.changes import BACK_IN_QUEUE, ENDED, ERROR, HELD, Statement, error_values, param, statement
from facefleet.tasks.routes import Route
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import Actor, Change, State

_HAS_RUN = (State.RUNNING, State.SUCCEEDED, State.FAILED)
_LIST = (tasks.c.track, tasks.c.lane, tasks.c.shard)
_LEASE_OVER = tasks.c.lease_until < param("now")
_AS_SEEN = (tasks.c.id == param("task_id"), tasks.c.version == param("version"))
_REQUEUE_LOST = statement(
    Change.REQUEUE_LOST, Actor.SWEEPER, *HELD, _LEASE_OVER, lost=tasks.c.lost + 1, **BACK_IN_QUEUE
)
_FAIL_LOST = statement(Change.FAIL_LOST, Actor.SWEEPER, *_AS_SEEN, _LEASE_OVER, **ENDED, **ERROR)
_FAIL_OVERDUE = statement(Change.FAIL_OVERDUE, Actor.SWEEPER, *_AS_SEEN, **ENDED, **ERROR)


class Losses(Records):
    """The records for the sweeper; each query returns at most a chunk of tasks."""

    # ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────

    def expired(self) -> list[Task]:
        """Running tasks whose lease is over."""
        return self._select(and_(tasks.c.state == State.RUNNING, tasks.c.lease_until < self._clock()))

    def requeue_lost(self, task: Task) -> bool:
        """Requeue a task whose lease expired, and count the loss; false when it has changed since it was read."""
        now = self._clock()
        return self._writer.change(_REQUEUE_LOST, task_id=task.id, fence=task.fence, now=now, run_at=now) is not None

    def fail_lost(self, task: Task, error: FacefleetError) -> bool:
        """End a running task whose lease expired; false when it has changed since it was read."""
        return self._fail(_FAIL_LOST, task, error)

    def overdue(self) -> list[Task]:
        """Queued tasks past their deadline."""
        return self._select(and_(tasks.c.state == State.QUEUED, tasks.c.deadline_at < self._clock()))

    def fail_overdue(self, task: Task, error: FacefleetError) -> bool:
        """End a queued task; false when it has changed since it was read."""
        return self._fail(_FAIL_OVERDUE, task, error)

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────

    def unsent(self) -> list[Task]:
        """Queued tasks whose time has come and whose message was never sent."""
        waiting = and_(tasks.c.state == State.QUEUED, tasks.c.sent_at.is_(None), tasks.c.run_at <= self._clock())
        return self._select(waiting)

    def sent_under_another_epoch(self, epoch: str) -> list[Task]:
        """Queued tasks whose message went to a broker that has lost all its data since."""
        other = or_(tasks.c.sent_epoch.is_(None), tasks.c.sent_epoch != epoch)
        return self._select(and_(tasks.c.state == State.QUEUED, tasks.c.sent_at.is_not(None), other))

    def overtaken(self, grace: timedelta) -> list[Task]:
        """Queued tasks where a task sent ``grace`` later through the same list has already been claimed."""
        other = tasks.alias("other")
        later = select(func.max(other.c.sent_at)).where(
            other.c.track == tasks.c.track, other.c.lane == tasks.c.lane, other.c.shard == tasks.c.shard,
            other.c.state.in_(_HAS_RUN), other.c.fence > 0,
        ).scalar_subquery()  # fmt: skip
        lists = select(*_LIST, later.label("claimed")).where(tasks.c.state == State.QUEUED).group_by(*_LIST)
        with self._database.read() as connection:
            claimed = connection.execute(lists).all()
        overtaken: list[Task] = []
        for track, lane, shard, newest in claimed:
            if newest is not None:
                before = tasks.c.sent_at < newest - grace
                overtaken += self._select(and_(_queued_in(Route(track, lane, shard)), before))
        return overtaken

    def old_lists(self, grace: timedelta) -> list[Route]:
        """The lists with a queued task that was sent longer than ``grace`` ago."""
        lists = select(*_LIST).where(tasks.c.state == State.QUEUED, self._sent_before(grace)).distinct()
        with self._database.read() as connection:
            return [Route(*row) for row in connection.execute(lists)]

    def older_than(self, grace: timedelta, route: Route) -> list[Task]:
        """Queued tasks of a list that were sent longer than ``grace`` ago."""
        return self._select(and_(_queued_in(route), self._sent_before(grace)))

    def _fail(self, wanted: Statement, task: Task, error: FacefleetError) -> bool:
        as_seen: dict[str, Any] = {"task_id": task.id, "version": task.version}
        return self._writer.change(wanted, **as_seen, now=self._clock(), **error_values(error)) is not None

    def _sent_before(self, grace: timedelta) -> ColumnElement[bool]:
        return tasks.c.sent_at < self._clock() - grace


def _queued_in(route: Route) -> ColumnElement[bool]:
    here = and_(tasks.c.track == route.track, tasks.c.lane == route.lane, tasks.c.shard == route.shard)
    return and_(tasks.c.state == State.QUEUED, here)
