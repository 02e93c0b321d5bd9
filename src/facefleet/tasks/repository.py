"""The one repository of task records: every change is one conditional UPDATE, so any number of processes may race.

A worker holds a task by its ``fence``: ``claim`` raises it, and every later change names it. A change that finds
another fence changes nothing and says so. Synchronous; the gateway calls it from threads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, bindparam, func, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import Insert, ReturningUpdate, Update

from facefleet.clock import Clock
from facefleet.errors.base import FacefleetError
from facefleet.errors.conflict import TaskEnded
from facefleet.errors.lookup import TaskNotFound
from facefleet.tasks.database import Database
from facefleet.tasks.events import Tell, Wake, nobody
from facefleet.tasks.kinds import Kind
from facefleet.tasks.routes import Route
from facefleet.tasks.table import row_of, task_of, tasks
from facefleet.tasks.task import SUSPECT_LOST, Failure, Json, Task
from facefleet.tasks.transitions import State

BATCH = 500  # records one round of the sweeper looks at

_NUL = "\0"  # no text of PostgreSQL can hold it
_HAS_RUN = (State.RUNNING, State.SUCCEEDED, State.FAILED)
_SUSPECT = tasks.c.lost >= SUSPECT_LOST
_LIST = (tasks.c.track, tasks.c.lane, tasks.c.shard)


def _claim(kind: ColumnElement[bool]) -> ReturningUpdate[Any]:
    due = and_(tasks.c.id == bindparam("due_id"), tasks.c.state == State.QUEUED, tasks.c.run_at <= bindparam("now"))
    known = tasks.c.kind.in_(bindparam("known_kinds", expanding=True))
    return update(tasks).where(due, kind, known).values(
        state=State.RUNNING, fence=tasks.c.fence + 1, version=tasks.c.version + 1,
        lease_until=bindparam("until"), started_at=func.coalesce(tasks.c.started_at, bindparam("now")),
        models=bindparam("of_models"), progress=0.0, step=None,
    ).returning(tasks)  # fmt: skip


# The statements of every single task, built once: to build one takes as long as to run it.
_CLAIMS = {suspect: _claim(kind) for suspect, kind in ((None, true()), (True, _SUSPECT), (False, ~_SUSPECT))}
_SUCCEED = update(tasks).where(
    tasks.c.id == bindparam("held_id"), tasks.c.fence == bindparam("held_fence"), tasks.c.state == State.RUNNING
).values(
    state=State.SUCCEEDED, version=tasks.c.version + 1, lease_until=None, progress=1.0, step=None,
    finished_at=bindparam("now"), result=bindparam("key"), result_type=bindparam("media_type"),
    timings_ms=bindparam("timings"), bytes_out=bindparam("size"), seconds=bindparam("took"), output=bindparam("found"),
).returning(tasks.c.version)  # fmt: skip
_GET = select(tasks).where(tasks.c.id == bindparam("task_id"), tasks.c.tenant == bindparam("owner"))


def failure_of(error: FacefleetError) -> Failure:
    """What the record keeps of an error."""
    return Failure(error.code, error.message.replace(_NUL, "\N{REPLACEMENT CHARACTER}"), error.detail)


class TaskRepository:
    """Records of one database.

    Every method raises ``RecordsUnavailable`` when the database does not answer.

    Args:
        database: Where they are.
        clock: UTC.
        tell: Told of every change of a record, when it is committed; must not raise.
    """

    def __init__(self, database: Database, clock: Clock, tell: Tell = nobody) -> None:
        self._database = database
        self._clock = clock
        self._tell = tell

    # ── the gateway ──────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, task: Task, *beside: Insert) -> Task:
        """Commit a new record, unless its idempotency key is taken.

        Args:
            task: Queued.
            beside: What is true only together with it: committed with it or not at all.

        Returns:
            The record that has the key: this one, or its earlier twin, and then nothing was changed.
        """
        try:
            with self._database.write() as connection:
                connection.execute(insert(tasks), row_of(task))  # as parameters: the statement is compiled once
                for statement in beside:
                    connection.execute(statement)
        except IntegrityError:
            twin = self.of_key(task.tenant, task.idempotency_key) if task.idempotency_key else None
            if twin is None:
                raise
            return twin
        return task

    def of_key(self, tenant: str, key: str) -> Task | None:
        """The record with this idempotency key."""
        found = self._select(and_(tasks.c.tenant == tenant, tasks.c.idempotency_key == key))
        return found[0] if found else None

    def get(self, tenant: str, task_id: str) -> Task:
        """The record.

        Raises:
            TaskNotFound: None of this id for this tenant.
        """
        if _NUL in task_id:
            raise _not_found(task_id)
        with self._database.read() as connection:
            row = connection.execute(_GET, {"task_id": task_id, "owner": tenant}).mappings().one_or_none()
        if row is None:
            raise _not_found(task_id)
        return task_of(row)

    def versions(self, task_ids: Collection[str]) -> dict[str, int]:
        """Id → version of those that are there; at most ``BATCH`` ids at once."""
        with self._database.read() as connection:
            rows = connection.execute(select(tasks.c.id, tasks.c.version).where(tasks.c.id.in_(task_ids)))
            return {row.id: row.version for row in rows}

    def of_ids(self, task_ids: Collection[str]) -> list[Task]:
        """The records of those that are there; at most ``BATCH`` ids at once."""
        return self._select(tasks.c.id.in_(task_ids))

    def cancel(self, tenant: str, task_id: str) -> Task:
        """End a task that has not ended; of one that is canceled already, nothing changes.

        A run under way finds at its next step, or at its end, that it no longer holds the task.

        Raises:
            TaskNotFound: None of this id for this tenant.
            TaskEnded: It has succeeded or failed.
        """
        if _NUL in task_id:
            raise _not_found(task_id)
        open_ = and_(tasks.c.id == task_id, tasks.c.tenant == tenant, tasks.c.state.in_((State.QUEUED, State.RUNNING)))
        ended = {"state": State.CANCELED, "finished_at": self._clock(), "version": tasks.c.version + 1}
        self._update(task_id, open_, lease_until=None, step=None, **ended)
        task = self.get(tenant, task_id)
        if task.state is not State.CANCELED:
            raise TaskEnded(f"The task has {task.state} already.", task_id=task.id, status=task.state.value)
        return task

    def mark_sent(self, sent: Sequence[Task], epoch: str | None) -> None:
        """Remember that their messages went to the broker of this epoch.

        A record that changed since is left alone: it may be back in the queue for a later time, without a message.
        """
        same = and_(tasks.c.id == bindparam("sent_id"), tasks.c.version == bindparam("sent_version"))
        mark = update(tasks).where(same, tasks.c.state == State.QUEUED).values(sent_at=self._clock(), sent_epoch=epoch)
        with self._database.write() as connection:
            connection.execute(mark, [{"sent_id": task.id, "sent_version": task.version} for task in sent])

    def mark_unsent(self, task_ids: Sequence[str]) -> None:
        """Remember that their messages did not reach the broker; the sweeper sends them."""
        with self._database.write() as connection:
            connection.execute(
                update(tasks).where(tasks.c.id.in_(task_ids), tasks.c.state == State.QUEUED)
                .values(sent_at=None, sent_epoch=None)
            )  # fmt: skip

    # ── the worker ───────────────────────────────────────────────────────────────────────────────────────────────

    def claim(
        self, task_id: str, lease: timedelta, models: Mapping[str, str], *,
        suspect: bool | None = None, kinds: Collection[Kind] = tuple(Kind),
    ) -> Task | None:  # fmt: skip
        """Take a queued task whose time has come.

        Args:
            task_id: Which.
            lease: How long the claim holds without a heartbeat.
            models: Name → version of what this run will use.
            suspect: Only one that has, or has not, lost ``SUSPECT_LOST`` workers; any where not given.
            kinds: What this worker knows how to do; the rest is left to others.

        Returns:
            The record under its new fence; none when it is not there, not queued or not due (a duplicate message), or
            not of the kind asked for.
        """
        now = self._clock()
        values = {
            "due_id": task_id, "now": now, "until": now + lease, "of_models": dict(models), "known_kinds": list(kinds),
        }  # fmt: skip
        with self._database.write(undoable=True) as connection:
            row = connection.execute(_CLAIMS[suspect], values).mappings().one_or_none()
        return self._told(row)

    def suspect(self, task_id: str) -> bool:
        """Whether this task waits to run and has lost so many workers that it must run alone."""
        return bool(self._select(and_(tasks.c.id == task_id, tasks.c.state == State.QUEUED, _SUSPECT)))

    def renew(self, held: Mapping[str, int], lease: timedelta) -> set[str]:
        """Heartbeat for all tasks of a process in one transaction.

        Args:
            held: Task id → fence.
            lease: From now.

        Returns:
            The ids still held; the others were taken away.
        """
        until = self._clock() + lease
        kept = set()
        with self._database.write(undoable=True) as connection:
            for task_id, fence in held.items():
                done = connection.execute(update(tasks).where(_held(task_id, fence)).values(lease_until=until))
                if done.rowcount:
                    kept.add(task_id)
        return kept

    def advance(self, task: Task, step: str, progress: float) -> bool:
        """Tell how far this run is; false when it no longer holds the task."""
        changes = {"step": step, "progress": progress, "version": tasks.c.version + 1}
        return self._update(task.id, _held(task.id, task.fence), **changes)

    def release(self, task: Task) -> Task | None:
        """Hand a task back that this run will not finish; no budget is spent.

        Returns:
            The queued record, its message not sent; none when this run no longer holds it.
        """
        back = update(tasks).where(_held(task.id, task.fence)).values(_back_in_queue(self._clock()))
        with self._database.write() as connection:
            row = connection.execute(back.returning(tasks)).mappings().one_or_none()
        return self._told(row)

    def succeed(
        self, task: Task, result: str | None, result_type: str | None, timings_ms: Mapping[str, float], *,
        bytes_out: int = 0, seconds: float = 0.0, output: Json | None = None, beside: Sequence[Update] = (),
    ) -> bool:  # fmt: skip
        """Name the winner; false when this run no longer holds the task. To say it twice is to say it once.

        Args:
            task: As claimed.
            result: Object key; none of a kind whose outcome is words.
            result_type: Media type.
            timings_ms: Step → ms.
            bytes_out: Of the result.
            seconds: s that this run took.
            output: The words.
            beside: What becomes true with the success, in the same commit.
        """
        values = {
            "held_id": task.id, "held_fence": task.fence, "now": self._clock(),
            "key": result, "media_type": result_type, "timings": dict(timings_ms), "size": bytes_out, "took": seconds,
            "found": output,
        }  # fmt: skip
        with self._database.write() as connection:
            version = connection.execute(_SUCCEED, values).scalar()
            for statement in beside if version is not None else ():
                connection.execute(statement)
        if version is not None:
            self._tell(Wake(task.id, version))
            return True
        mine = tasks.c.fence == task.fence if result is None else tasks.c.result == result
        return bool(self._select(and_(tasks.c.id == task.id, tasks.c.state == State.SUCCEEDED, mine)))

    def fail(self, task: Task, error: FacefleetError) -> bool:
        """End the task with an error; false when this run no longer holds it."""
        ended = {"state": State.FAILED, "finished_at": self._clock(), "version": tasks.c.version + 1}
        return self._update(task.id, _held(task.id, task.fence), lease_until=None, **ended, **_error_columns(error))

    def retry(self, task: Task, error: FacefleetError, run_at: datetime, *, spend: bool = True) -> bool:
        """Queue the task for later, and unless told not to spend one failure; false when this run no longer holds it.

        The message is sent by the sweeper when ``run_at`` has come.
        """
        changes = {"failures": tasks.c.failures + int(spend), **_back_in_queue(run_at), **_error_columns(error)}
        return self._update(task.id, _held(task.id, task.fence), **changes)

    # ── the sweeper ──────────────────────────────────────────────────────────────────────────────────────────────

    def expired(self) -> list[Task]:
        """Running tasks whose lease is over."""
        return self._select(and_(tasks.c.state == State.RUNNING, tasks.c.lease_until < self._clock()))

    def requeue_lost(self, task: Task) -> bool:
        """Queue a task again whose lease expired, and count the loss; false when another did, or it came back."""
        held = and_(_held(task.id, task.fence), tasks.c.lease_until < self._clock())
        return self._update(task.id, held, lost=tasks.c.lost + 1, **_back_in_queue(self._clock()))

    def fail_overdue(self, task: Task, error: FacefleetError) -> bool:
        """End a task that nobody holds by a valid lease."""
        free = or_(tasks.c.lease_until.is_(None), tasks.c.lease_until < self._clock())
        same = and_(tasks.c.id == task.id, tasks.c.version == task.version, tasks.c.state == task.state, free)
        ended = {"state": State.FAILED, "finished_at": self._clock(), "version": tasks.c.version + 1}
        return self._update(task.id, same, lease_until=None, **ended, **_error_columns(error))

    def overdue(self) -> list[Task]:
        """Queued tasks past their deadline."""
        return self._select(and_(tasks.c.state == State.QUEUED, tasks.c.deadline_at < self._clock()))

    def unsent(self) -> list[Task]:
        """Queued tasks whose time has come and whose message was never sent."""
        waiting = and_(tasks.c.state == State.QUEUED, tasks.c.sent_at.is_(None), tasks.c.run_at <= self._clock())
        return self._select(waiting)

    def sent_under_another_epoch(self, epoch: str) -> list[Task]:
        """Queued tasks whose message went to a broker that has lost everything since."""
        other = or_(tasks.c.sent_epoch.is_(None), tasks.c.sent_epoch != epoch)
        return self._select(and_(tasks.c.state == State.QUEUED, tasks.c.sent_at.is_not(None), other))

    def overtaken(self, grace: timedelta) -> list[Task]:
        """Queued tasks when one sent ``grace`` later through the same list has already been claimed."""
        other = tasks.alias("other")
        later = select(func.max(other.c.sent_at)).where(
            other.c.track == tasks.c.track, other.c.lane == tasks.c.lane, other.c.shard == tasks.c.shard,
            other.c.state.in_(_HAS_RUN), other.c.fence > 0,
        ).scalar_subquery()  # fmt: skip
        lists = select(*_LIST, later.label("claimed")).where(tasks.c.state == State.QUEUED).group_by(*_LIST)
        with self._database.read() as connection:
            claimed = connection.execute(lists).all()
        found: list[Task] = []
        for track, lane, shard, newest in claimed:
            if newest is not None:
                before = tasks.c.sent_at < newest - grace
                found += self._select(and_(_queued_in(Route(track, lane, shard)), before))
        return found

    def old_lists(self, grace: timedelta) -> list[Route]:
        """The lists with a queued task that was sent longer than ``grace`` ago."""
        lists = select(*_LIST).where(tasks.c.state == State.QUEUED, self._sent_before(grace)).distinct()
        with self._database.read() as connection:
            return [Route(*row) for row in connection.execute(lists)]

    def older_than(self, grace: timedelta, route: Route) -> list[Task]:
        """Queued tasks of a list that were sent longer than ``grace`` ago."""
        return self._select(and_(_queued_in(route), self._sent_before(grace)))

    # ── shared ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _sent_before(self, grace: timedelta) -> ColumnElement[bool]:
        return tasks.c.sent_at < self._clock() - grace

    def _select(self, condition: ColumnElement[bool]) -> list[Task]:
        oldest_first = select(tasks).where(condition).order_by(tasks.c.id).limit(BATCH)
        with self._database.read() as connection:
            return [task_of(row) for row in connection.execute(oldest_first).mappings()]

    def _update(self, task_id: str, condition: ColumnElement[bool], **changes: Any) -> bool:
        """Change the one record that the condition names; false where it names none."""
        change = update(tasks).where(condition).values(changes).returning(tasks.c.version)
        with self._database.write() as connection:
            version = connection.execute(change).scalar()
        if version is not None:
            self._tell(Wake(task_id, version))
        return version is not None

    def _told(self, row: RowMapping | None) -> Task | None:
        """The record of a row that was just changed, if any was."""
        if row is None:
            return None
        task = task_of(row)
        self._tell(Wake(task.id, task.version))
        return task


def _not_found(task_id: str) -> TaskNotFound:
    return TaskNotFound(f"There is no task {task_id[:64]!r}.", task_id=task_id[:64])


def _held(task_id: str, fence: int) -> ColumnElement[bool]:
    return and_(tasks.c.id == task_id, tasks.c.fence == fence, tasks.c.state == State.RUNNING)


def _queued_in(route: Route) -> ColumnElement[bool]:
    here = and_(tasks.c.track == route.track, tasks.c.lane == route.lane, tasks.c.shard == route.shard)
    return and_(tasks.c.state == State.QUEUED, here)


def _back_in_queue(run_at: datetime) -> dict[str, Any]:
    return {
        "state": State.QUEUED, "version": tasks.c.version + 1, "lease_until": None, "run_at": run_at,
        "sent_at": None, "sent_epoch": None, "progress": 0.0, "step": None,
    }  # fmt: skip


def _error_columns(error: FacefleetError) -> dict[str, Any]:
    failure = failure_of(error)
    return {"error_code": failure.code, "error_message": failure.message, "error_detail": dict(failure.detail)}
