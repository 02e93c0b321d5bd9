"""Keeps the task records as operators use them: for all tenants; requeues tasks and sets legal holds."""

from __future__ import annotations

from sqlalchemy import select, true

from facefleet.errors.conflict import RequeueRefused
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.ids import is_id
from facefleet.tasks.records.base import Records
from facefleet.tasks.records.changes import BACK_IN_QUEUE, param, statement
from facefleet.tasks.records.repository import task_not_found
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import Actor, Change, State, states_before

_REQUEUEABLE = states_before(Change.REQUEUE)
_REQUEUE = statement(
    Change.REQUEUE, Actor.OPERATOR,
    tasks.c.id == param("task_id"), tasks.c.version == param("version"),
    tasks.c.inputs_kept == true(), tasks.c.erased_at.is_(None),
    **BACK_IN_QUEUE, deadline_at=param("deadline_at"), failures=0, lost=0,
    error_code=None, error_message=None, error_detail=None, started_at=None, finished_at=None,
    result_kept=True, announced_state="",
)  # fmt: skip
_HOLD = statement(
    Change.HOLD, Actor.OPERATOR, tasks.c.id == param("task_id"), tasks.c.hold != param("on"), hold=param("on")
)


class OperatorRecords(Records):
    """The records for operators."""

    def newest(self, limit: int, state: State | None = None) -> list[Task]:
        """The newest tasks of all tenants, newest first."""
        wanted = tasks.c.state == state if state else true()
        newest_first = select(tasks).where(wanted).order_by(tasks.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [task_of(row) for row in connection.execute(newest_first).mappings()]

    def get(self, task_id: str) -> Task:
        """The record, of any tenant.

        Raises:
            TaskNotFound: There is none of this id.
        """
        if not is_id(task_id):
            raise task_not_found(task_id)
        with self._database.read() as connection:
            row = connection.execute(select(tasks).where(tasks.c.id == task_id)).mappings().one_or_none()
        if row is None:
            raise task_not_found(task_id)
        return task_of(row)

    def requeue(self, task_id: str, origin: Origin) -> Task:
        """Put a failed or canceled task back in the queue like a new one, with full retry budgets and a new deadline.

        The sweeper sends its message.

        Raises:
            TaskNotFound: There is none of this id.
            RequeueRefused: It has not failed and was not canceled, its uploads are deleted, or it was erased.
        """
        now, before = self._clock(), self.get(task_id)
        entry = origin.entry(Action.TASK_REQUEUE, now, before.id, tenant=before.tenant)
        changed = self._writer.change(
            _REQUEUE, entry=entry, task_id=task_id, version=before.version, run_at=now,
            deadline_at=now + (before.deadline_at - before.created_at),
        )  # fmt: skip
        task = self.get(task_id)
        if changed is None:
            raise _refusal(task)
        return task

    def hold(self, task_id: str, origin: Origin, *, on: bool) -> Task:
        """Begin or end the legal hold of a task: nothing of it is deleted meanwhile.

        Raises:
            TaskNotFound: There is none of this id.
        """
        task, action = self.get(task_id), Action.TASK_HOLD if on else Action.TASK_RELEASE
        entry = origin.entry(action, self._clock(), task.id, tenant=task.tenant)
        self._writer.change(_HOLD, entry=entry, task_id=task.id, on=on)
        return self.get(task_id)


def _refusal(task: Task) -> RequeueRefused:
    if task.erased_at is not None:
        reason = "it was erased"
    elif task.state not in _REQUEUEABLE:
        reason = f"it is {task.state}, and only failed and canceled tasks go back"
    elif not task.inputs_kept:
        reason = "its uploads have been deleted; have it submitted again"
    else:
        reason = "it was changed at the same moment; try again"
    return RequeueRefused(
        f"The task cannot be queued again: {reason}.",
        task_id=task.id, status=task.state.value, inputs_kept=task.inputs_kept, erased=task.erased_at is not None,
    )  # fmt: skip
