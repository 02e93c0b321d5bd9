"""Keeps the task records as retention uses them: what is due for deletion, and what an erasure leaves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, false, or_, select, update

from facefleet.errors.conflict import TaskHeld
from facefleet.errors.input import ContentRejected
from facefleet.tasks.audit import SERVICE, Action, Entry, Origin
from facefleet.tasks.kinds import Uploads, kinds_with
from facefleet.tasks.records.ages import Age
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.records.base import Records
from facefleet.tasks.records.changes import Statement, param, statement
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import deliveries, tasks
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import UNFINISHED, Actor, Change, State


def erasure(*where: ColumnElement[bool]) -> Statement:
    """The statement that erases records, of which only the receipt stays; an unfinished task is canceled by it.

    Args:
        where: Which records; those that are held or erased already are left alone.
    """
    return statement(
        Change.ERASE, Actor.GATEWAY, *where, tasks.c.hold == false(), tasks.c.erased_at.is_(None),
        erased_at=param("now"), options={}, digests=None, output=None, inspections=None, error_message=None,
        error_detail=None,
        webhook_url=None, lease_until=None, step=None,
        finished_at=case((tasks.c.state.in_(UNFINISHED), param("now")), else_=tasks.c.finished_at),
    )  # fmt: skip


def rejected() -> ColumnElement[bool]:
    """Whether a task ended because of what a photo shows: nothing of it is kept for another try."""
    return and_(tasks.c.state == State.FAILED, tasks.c.error_code == ContentRejected.code)


_ERASE = erasure(tasks.c.id == param("task_id"), tasks.c.tenant == param("tenant"))


class RetentionRecords(Records):
    """The records for retention, and for the erasure of tasks that their owners ask for."""

    def erase(self, task: Task, origin: Origin) -> None:
        """Erase a record: its task ends, its options and error are deleted, and the rest stays as a receipt.

        Its objects are deleted after this, never before: a run under way has lost its fence by then.

        Raises:
            TaskHeld: The task is under legal hold; the audit log says who asked all the same.
        """
        now, mine = self._clock(), and_(tasks.c.id == task.id, tasks.c.tenant == task.tenant)
        with self._writer.transaction() as transaction:
            erased = transaction.change(_ERASE, task_id=task.id, tenant=task.tenant, now=now)
            if erased:
                transaction.connection.execute(delete(deliveries).where(deliveries.c.task == task.id))
            held = not erased and transaction.connection.execute(select(tasks.c.hold).where(mine)).scalar()
            if erased or held:
                refused = TaskHeld.code if held else None
                transaction.record(origin.entry(Action.TASK_ERASE, now, task.id, tenant=task.tenant, refused=refused))
        if held:
            raise TaskHeld("The task is under legal hold; ask the operator.", task_id=task.id)

    def with_old_inputs(self, age: Age) -> list[Task]:
        """Ended tasks whose uploads are older than ``age``, erased, rejected, or of a kind that keeps none."""
        at_once = or_(tasks.c.kind.in_(kinds_with(Uploads.UNTIL_END)), rejected())
        return self._ended(age, tasks.c.inputs_kept, or_at_once=at_once)

    def with_old_results(self, age: Age) -> list[Task]:
        """Ended tasks whose result is older than ``age``, or was erased."""
        return self._ended(age, tasks.c.result_kept)

    def inputs_deleted(self, task: Task, *, expired: bool = False) -> None:
        """Remember that the uploads are gone from the store; ``expired``: over, or rejected."""
        rejected = task.failure is not None and task.failure.code == ContentRejected.code
        action = Action.INPUTS_REJECT if rejected else Action.INPUTS_EXPIRE
        entry = self._expiry(action, task) if expired else None
        self._mark(task, tasks.c.inputs_kept, entry, inputs_kept=False)

    def results_deleted(self, task: Task, *, expired: bool = False) -> None:
        """Remember that the results are gone from the store; ``expired`` as above."""
        entry = self._expiry(Action.RESULT_EXPIRE, task) if expired and task.result is not None else None
        self._mark(task, tasks.c.result_kept, entry, result_kept=False, result=None)

    def delete_rows(self, age: Age) -> int:
        """Delete records that are older than ``age`` and have no object left, with their deliveries.

        Returns:
            How many records.
        """
        old = and_(
            self._due(age), tasks.c.inputs_kept == false(), tasks.c.result_kept == false(), tasks.c.hold == false()
        )
        with self._database.write() as connection:
            chunk = connection.scalars(select(tasks.c.id).where(old).limit(CHUNK)).all()
            connection.execute(delete(deliveries).where(deliveries.c.task.in_(chunk)))
            return connection.execute(delete(tasks).where(tasks.c.id.in_(chunk))).rowcount

    def known(self, task_ids: Collection[str]) -> dict[str, Task]:
        """Id → record of those that have one; at most ``CHUNK`` ids at once."""
        with self._database.read() as connection:
            rows = connection.execute(select(tasks).where(tasks.c.id.in_(task_ids))).mappings()
            return {row["id"]: task_of(row) for row in rows}

    def _ended(self, age: Age, kept: ColumnElement[bool], or_at_once: ColumnElement[bool] | None = None) -> list[Task]:
        gone = or_(self._due(age), tasks.c.erased_at.is_not(None), false() if or_at_once is None else or_at_once)
        ended = select(tasks).where(kept, tasks.c.hold == false(), tasks.c.state.not_in(UNFINISHED), gone)
        with self._database.read() as connection:
            return [task_of(row) for row in connection.execute(ended.limit(CHUNK)).mappings()]

    def _due(self, age: Age) -> ColumnElement[bool]:
        return age.reached(tasks.c.finished_at, tasks.c.tenant, self._clock(), tasks.c.plan)

    def _expiry(self, action: Action, task: Task) -> Entry:
        return SERVICE.entry(action, self._clock(), task.id, tenant=task.tenant)

    def _mark(self, task: Task, kept: ColumnElement[bool], entry: Entry | None, **values: Any) -> None:
        """Mark a task once, however many gateways delete its objects at the same time."""
        with self._database.write() as connection:
            marked = connection.execute(update(tasks).where(tasks.c.id == task.id, kept).values(values))
            if marked.rowcount and entry is not None:
                write_entry(connection, entry)
