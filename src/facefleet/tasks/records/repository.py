"""Keeps the task records as the gateway uses them: add, look up, cancel, and remember which messages were sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import and_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import Insert

from facefleet.errors.conflict import TaskEnded
from facefleet.errors.lookup import TaskNotFound
from facefleet.tasks.audit import Action, Entry, Origin
from facefleet.tasks.ids import is_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.base import Records
from facefleet.tasks.records.changes import ENDED, param, params, statement
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import Actor, Change, State

_MINE = (tasks.c.id == param("task_id"), tasks.c.tenant == param("tenant"))
_GET = select(tasks).where(*_MINE)
_CANCEL = {
    by: statement(Change.CANCEL, by, *_MINE, **ENDED, step=None) for by in (Actor.GATEWAY, Actor.OPERATOR)
}  # fmt: skip
# A record that changed since is left alone: it may be back in the queue for a later time, without a message.
_MARK_SENT = (
    update(tasks)
    .where(tasks.c.id == param("task_id"), tasks.c.version == param("version"), tasks.c.state == State.QUEUED)
    .values(sent_at=param("now"), sent_epoch=param("epoch"))
)


class TaskRepository(Records):
    """The records for the gateway, and for every part that sends messages."""

    def add(self, task: Task, *beside: Insert, origin: Origin) -> Task:
        """Commit a new record, unless its idempotency key is taken.

        Args:
            task: Queued.
            beside: Further rows to insert in the same transaction.
            origin: Who asked for it.

        Returns:
            The record that has the key: this one, or an earlier one, and then nothing was changed.
        """
        try:
            with self._writer.transaction() as transaction:
                transaction.add(Actor.GATEWAY, [task])
                transaction.record(_creation(task, origin))
                for insertion in beside:
                    transaction.connection.execute(insertion)
        except IntegrityError:
            earlier = self.of_key(task.tenant, task.idempotency_key) if task.idempotency_key else None
            if earlier is None:
                raise
            return earlier
        return task

    def of_key(self, tenant: str, key: str) -> Task | None:
        """The record with this idempotency key."""
        matching = self._select(and_(tasks.c.tenant == tenant, tasks.c.idempotency_key == key))
        return matching[0] if matching else None

    def get(self, tenant: str, task_id: str) -> Task:
        """The record.

        Raises:
            TaskNotFound: None of this id for this tenant.
        """
        if not is_id(task_id):
            raise task_not_found(task_id)
        with self._database.read() as connection:
            row = connection.execute(_GET, params(task_id=task_id, tenant=tenant)).mappings().one_or_none()
        if row is None:
            raise task_not_found(task_id)
        return task_of(row)

    def versions(self, task_ids: Collection[str]) -> dict[str, int]:
        """Id → version of the records that exist; at most ``CHUNK`` ids at once."""
        with self._database.read() as connection:
            rows = connection.execute(select(tasks.c.id, tasks.c.version).where(tasks.c.id.in_(task_ids)))
            return {row.id: row.version for row in rows}

    def of_ids(self, task_ids: Collection[str]) -> list[Task]:
        """The records that exist of these ids; at most ``CHUNK`` ids at once."""
        return self._select(tasks.c.id.in_(task_ids))

    def cancel(self, tenant: str, task_id: str, origin: Origin, *, by: Actor = Actor.GATEWAY) -> Task:
        """End a task that has not ended; of one that is canceled already, nothing changes, and nothing is recorded.

        A run under way notices at its next step, or at its end, that it no longer holds the task.

        Raises:
            TaskNotFound: None of this id for this tenant.
            TaskEnded: It has succeeded or failed.
        """
        if is_id(task_id):
            now = self._clock()
            entry = origin.entry(Action.TASK_CANCEL, now, task_id, tenant=tenant)
            self._writer.change(_CANCEL[by], entry=entry, task_id=task_id, tenant=tenant, now=now)
        task = self.get(tenant, task_id)
        if task.state is not State.CANCELED:
            raise TaskEnded(f"The task has {task.state} already.", task_id=task.id, status=task.state.value)
        return task

    def mark_sent(self, sent: Sequence[Task], epoch: str | None) -> None:
        """Remember that their messages went to the broker of this epoch, unless they changed since."""
        now = self._clock()
        marks = [params(task_id=task.id, version=task.version, now=now, epoch=epoch) for task in sent]
        with self._database.write() as connection:
            connection.execute(_MARK_SENT, marks)

    def mark_unsent(self, task_ids: Sequence[str]) -> None:
        """Remember that their messages did not reach the broker; the sweeper sends them."""
        queued = and_(tasks.c.id.in_(task_ids), tasks.c.state == State.QUEUED)
        with self._database.write() as connection:
            connection.execute(update(tasks).where(queued).values(sent_at=None, sent_epoch=None))


def _creation(task: Task, origin: Origin) -> Entry:
    """The entry of a new task; one that registers a template stands for that."""
    registers = task.kind is Kind.TEMPLATE
    action, created = (Action.TEMPLATE_CREATE, task.template) if registers else (Action.TASK_CREATE, task.id)
    return origin.entry(action, task.created_at, created, tenant=task.tenant, consent=task.consent)


def task_not_found(task_id: str) -> TaskNotFound:
    """The refusal of an id that no record has, or none of this tenant."""
    return TaskNotFound(f"There is no task {task_id[:64]!r}.", task_id=task_id[:64])
