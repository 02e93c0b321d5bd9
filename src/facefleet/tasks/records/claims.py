"""Keeps the task records as a worker uses them: claim a task, hold it, and write down how its run ended.

A worker holds a task by its ``fence``: ``claim`` raises it, and every later change names it. A change that finds
another fence changes nothing and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select, true, update
from sqlalchemy.sql.dml import Update

from facefleet.errors.base import FacefleetError
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.base import Records
from facefleet.tasks.records.changes import (
    BACK_IN_QUEUE,
    ENDED,
    ERROR,
    HELD,
    Statement,
    error_values,
    param,
    params,
    statement,
)
from facefleet.tasks.tables.database import take_lock
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import SUSPECT_LOST, Json, Task
from facefleet.tasks.transitions import Actor, Change, State

SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30)
_CAP_LOCK = 7_203  # tells these locks from others of the database
_WAIT_PER_TURN = timedelta(seconds=0.5)  # times the tasks that wait for each of the tenant's places
_SUSPECT = tasks.c.lost >= SUSPECT_LOST


def _worker(change: Change, *where: ColumnElement[bool], whole: bool = False, **values: Any) -> Statement:
    return statement(change, Actor.WORKER, *where, whole=whole, **values)


def _claim(suspect: ColumnElement[bool]) -> Statement:
    known = tasks.c.kind.in_(bindparam("param_kinds", expanding=True))
    return _worker(
        Change.CLAIM, tasks.c.id == param("task_id"), tasks.c.run_at <= param("now"), suspect, known,
        whole=True, fence=tasks.c.fence + 1, lease_until=param("until"), models=param("models"),
        started_at=func.coalesce(tasks.c.started_at, param("now")), progress=0.0, step=None,
    )  # fmt: skip


_CLAIMS = {suspect: _claim(only) for suspect, only in ((None, true()), (True, _SUSPECT), (False, ~_SUSPECT))}
_POSTPONE = _worker(
    Change.POSTPONE, tasks.c.id == param("task_id"), run_at=param("run_at"), sent_at=None, sent_epoch=None
)
_RENEW = update(tasks).where(*HELD, tasks.c.state == State.RUNNING).values(lease_until=param("until"))
_ADVANCE = _worker(Change.ADVANCE, *HELD, step=param("step"), progress=param("progress"))
_HAND_BACK = _worker(Change.HAND_BACK, *HELD, whole=True, **BACK_IN_QUEUE)
_SUCCEED = _worker(
    Change.SUCCEED, *HELD, **ENDED, progress=1.0, step=None, result=param("result"), result_type=param("result_type"),
    timings_ms=param("timings_ms"), bytes_out=param("bytes_out"), seconds=param("seconds"), output=param("output"),
    inspections=param("inspections"),
)  # fmt: skip
_FAIL = _worker(Change.FAIL, *HELD, **ENDED, **ERROR, inspections=param("inspections"))
_RETRY = _worker(Change.RETRY, *HELD, **BACK_IN_QUEUE, **ERROR, failures=tasks.c.failures + param("spent"))


Cap = Callable[[str, str | None], int | None]
"""How many tasks of a tenant may run at once, for a task of this plan; None: as many as there are workers for."""


class Postponed(Exception):
    """As many tasks of the tenant run as may; the claim is undone, the record waits, and the sweeper sends it later."""

    def __init__(self, tenant: str, cap: int) -> None:
        super().__init__()
        self.tenant = tenant
        self.cap = cap


def no_cap(_: str, __: str | None) -> None:
    """Every tenant may have as many tasks running as there are workers for."""


class Claims(Records):
    """The records for a worker."""

    def claim(
        self, task_id: str, lease: timedelta, models: Mapping[str, str], *,
        suspect: bool | None = None, kinds: Collection[Kind] = tuple(Kind), cap: Cap = no_cap,
    ) -> Task | None:  # fmt: skip
        """Take a queued task whose time has come.

        Args:
            task_id: Which.
            lease: How long the claim holds without a heartbeat.
            models: Name → version of what this run will use.
            suspect: Only one that has, or has not, lost ``SUSPECT_LOST`` workers; any where not given.
            kinds: Kinds that this worker can run; other tasks are left to other workers.
            cap: Holds over all workers: who claims counts what runs while no other can claim for that tenant.

        Returns:
            The record under its new fence; none when it is not there, not queued or not due (a duplicate message), or
            not of the kind asked for.

        Raises:
            Postponed: As many tasks of its tenant run as may; no budget is spent.
        """
        now = self._clock()
        values = {"now": now, "until": now + lease, "models": dict(models), "kinds": list(kinds)}
        try:
            with self._writer.transaction(undoable=True) as transaction:
                rows = transaction.change(_CLAIMS[suspect], task_id=task_id, **values)
                for row in rows:
                    _require_place(transaction.connection, row["tenant"], cap(row["tenant"], row["plan"]))
        except Postponed as full:
            self._writer.change(_POSTPONE, task_id=task_id, run_at=now + self._wait(full))
            raise
        return task_of(rows[0]) if rows else None

    def _wait(self, full: Postponed) -> timedelta:
        """How long until it is this task's turn, roughly: all that wait must not ask at once, nor many times."""
        waiting = select(func.count()).where(tasks.c.tenant == full.tenant, tasks.c.state == State.QUEUED)
        with self._database.read() as connection:
            turns = connection.execute(waiting).scalar_one() / max(1, full.cap)
        return min(LONGEST_WAIT, max(SHORTEST_WAIT, turns * _WAIT_PER_TURN))

    def is_suspect(self, task_id: str) -> bool:
        """Whether this task waits to run and has lost so many workers that it must run alone."""
        return bool(self._select(and_(tasks.c.id == task_id, tasks.c.state == State.QUEUED, _SUSPECT)))

    def renew(self, held: Mapping[str, int], lease: timedelta) -> set[str]:
        """Heartbeat for all tasks of a process in one transaction.

        Args:
            held: Task id → fence.
            lease: From now.

        Returns:
            The ids still held; the others were canceled, erased, or given to another run.
        """
        until, kept = self._clock() + lease, set()
        with self._database.write(undoable=True) as connection:
            for task_id, fence in held.items():
                if connection.execute(_RENEW, params(task_id=task_id, fence=fence, until=until)).rowcount:
                    kept.add(task_id)
        return kept

    def advance(self, task: Task, step: str, progress: float) -> bool:
        """Write down how far this run is; false when it no longer holds the task."""
        return self._change_held(_ADVANCE, task, step=step, progress=progress)

    def hand_back(self, task: Task) -> Task | None:
        """Put a task that this run will not finish back in the queue; no budget is spent.

        Returns:
            The queued record, its message not sent; none when this run no longer holds it.
        """
        row = self._writer.change(_HAND_BACK, task_id=task.id, fence=task.fence, run_at=self._clock())
        return None if row is None else task_of(row)

    def succeed(
        self, task: Task, result: str | None, result_type: str | None, timings_ms: Mapping[str, float], *,
        bytes_out: int = 0, seconds: float = 0.0, output: Json | None = None, beside: Sequence[Update] = (),
        inspections: Sequence[Json] = (),
    ) -> bool:  # fmt: skip
        """Commit the result of this run; false when it no longer holds the task. Idempotent.

        Args:
            task: As claimed.
            result: Object key; none for a kind whose result is JSON in the record.
            result_type: Media type.
            timings_ms: Step → ms.
            bytes_out: Size of the result.
            seconds: s that this run took.
            output: JSON for the record.
            beside: Further updates in the same transaction.
            inspections: What inspectors found, in their order.
        """
        with self._writer.transaction() as transaction:
            won = transaction.change(
                _SUCCEED, task_id=task.id, fence=task.fence, now=self._clock(),
                result=result, result_type=result_type, timings_ms=dict(timings_ms),
                bytes_out=bytes_out, seconds=seconds, output=output, inspections=list(inspections),
            )  # fmt: skip
            for update_beside in beside if won else ():
                transaction.connection.execute(update_beside)
        if won:
            return True
        same_run = tasks.c.fence == task.fence if result is None else tasks.c.result == result
        return bool(self._select(and_(tasks.c.id == task.id, tasks.c.state == State.SUCCEEDED, same_run)))

    def fail(self, task: Task, error: FacefleetError, *, inspections: Sequence[Json] = ()) -> bool:
        """End the task with an error; false when this run no longer holds it.

        Args:
            task: As claimed.
            error: Why.
            inspections: What inspectors found before it, in their order.
        """
        found = list(inspections)
        return self._change_held(_FAIL, task, now=self._clock(), inspections=found, **error_values(error))

    def retry(self, task: Task, error: FacefleetError, run_at: datetime, *, spend: bool = True) -> bool:
        """Queue the task for later, and unless told not to spend one failure; false when this run no longer holds it.

        The message is sent by the sweeper when ``run_at`` has come.
        """
        return self._change_held(_RETRY, task, run_at=run_at, spent=int(spend), **error_values(error))

    def _change_held(self, wanted: Statement, task: Task, **values: Any) -> bool:
        return self._writer.change(wanted, task_id=task.id, fence=task.fence, **values) is not None


def _require_place(connection: Connection, tenant: str, places: int | None) -> None:
    """Check, within the transaction of a claim, that no more tasks of the tenant run than may; it is one of them.

    SQLite has one writer. On PostgreSQL the claims of one tenant take turns from here to their commit, so each counts
    what those before it have committed.
    """
    if places is None:
        return
    take_lock(connection, _CAP_LOCK, of=tenant)
    running = select(func.count()).where(tasks.c.tenant == tenant, tasks.c.state == State.RUNNING)
    if connection.execute(running).scalar_one() > places:
        raise Postponed(tenant, places)
