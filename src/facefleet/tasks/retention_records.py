"""What of a task is still kept: the questions and changes of retention, erasure and legal hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, false, or_, select, update

from facefleet.clock import Clock
from facefleet.errors.conflict import TaskHeld
from facefleet.tasks.database import Database
from facefleet.tasks.events import Tell, Wake, nobody
from facefleet.tasks.kinds import Uploads, kinds_with
from facefleet.tasks.repository import BATCH
from facefleet.tasks.table import deliveries, task_of, tasks
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

_OPEN = (State.QUEUED, State.RUNNING)
FORGOTTEN: Mapping[str, Any] = {
    "options": {}, "output": None, "error_message": None, "error_detail": None, "webhook_url": None,
    "lease_until": None, "step": None, "version": tasks.c.version + 1,
}  # fmt: skip
"""What an erasure changes in a record."""


class Keeping:
    """The same records as ``TaskRepository``, as the deleter sees them.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock, tell: Tell = nobody) -> None:
        self._database = database
        self._clock = clock
        self._tell = tell

    def erase(self, task: Task) -> None:
        """Make a record the receipt of an erasure: it ends, and its options and error are forgotten.

        Its objects are deleted after this, never before: a run under way has lost its fence by then.

        Raises:
            TaskHeld: The task is under legal hold.
        """
        mine = and_(tasks.c.id == task.id, tasks.c.tenant == task.tenant)
        now = self._clock()
        with self._database.write() as connection:
            forgotten = connection.execute(
                update(tasks).where(mine, tasks.c.hold == false(), tasks.c.erased_at.is_(None))
                .values(erased_at=now, **FORGOTTEN).returning(tasks.c.version)
            ).scalar()  # fmt: skip
            if forgotten is not None:
                connection.execute(delete(deliveries).where(deliveries.c.task == task.id))
            open_ = and_(mine, tasks.c.erased_at.is_not(None), tasks.c.state.in_(_OPEN))
            connection.execute(update(tasks).where(open_).values(state=State.CANCELED, finished_at=now))
            held = connection.execute(select(tasks.c.hold).where(mine)).scalar()
        if forgotten is not None:
            self._tell(Wake(task.id, forgotten))
        elif held:
            raise TaskHeld("The task is under legal hold; ask the operator.", task_id=task.id)

    def with_old_inputs(self, age: timedelta) -> list[Task]:
        """Ended tasks whose uploads have outlived their time, were erased, or were only to be looked at."""
        return self._ended(age, tasks.c.inputs_kept, or_at_once=tasks.c.kind.in_(kinds_with(Uploads.UNTIL_END)))

    def with_old_results(self, age: timedelta) -> list[Task]:
        """Ended tasks whose result has outlived its time, or was erased."""
        return self._ended(age, tasks.c.result_kept)

    def inputs_deleted(self, task: Task) -> None:
        """The uploads are gone from the store."""
        self._set(task, inputs_kept=False)

    def results_deleted(self, task: Task) -> None:
        """The results are gone from the store."""
        self._set(task, result_kept=False, result=None)

    def delete_rows(self, age: timedelta) -> int:
        """Delete records that have outlived their time and have no object left, with their deliveries; how many."""
        old = and_(
            self._due(age), tasks.c.inputs_kept == false(), tasks.c.result_kept == false(), tasks.c.hold == false()
        )
        with self._database.write() as connection:
            batch = connection.scalars(select(tasks.c.id).where(old).limit(BATCH)).all()
            connection.execute(delete(deliveries).where(deliveries.c.task.in_(batch)))
            return connection.execute(delete(tasks).where(tasks.c.id.in_(batch))).rowcount

    def known(self, task_ids: Collection[str]) -> dict[str, Task]:
        """Those of these ids that have a record."""
        with self._database.read() as connection:
            rows = connection.execute(select(tasks).where(tasks.c.id.in_(task_ids))).mappings()
            return {row["id"]: task_of(row) for row in rows}

    def _ended(
        self, age: timedelta, kept: ColumnElement[bool], or_at_once: ColumnElement[bool] | None = None
    ) -> list[Task]:
        gone = or_(self._due(age), tasks.c.erased_at.is_not(None), false() if or_at_once is None else or_at_once)
        found = select(tasks).where(kept, tasks.c.hold == false(), tasks.c.state.not_in(_OPEN), gone)
        with self._database.read() as connection:
            return [task_of(row) for row in connection.execute(found.limit(BATCH)).mappings()]

    def _due(self, age: timedelta) -> ColumnElement[bool]:
        return tasks.c.finished_at < self._clock() - age

    def _set(self, task: Task, **values: object) -> None:
        with self._database.write() as connection:
            connection.execute(update(tasks).where(tasks.c.id == task.id).values(values))
