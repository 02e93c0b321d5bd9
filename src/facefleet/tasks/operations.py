"""The records as operators see them: all tenants', counted by lane, put back in the queue, held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, true, update

from facefleet.clock import Clock
from facefleet.errors.conflict import RequeueRefused
from facefleet.errors.lookup import TaskNotFound
from facefleet.tasks.database import Database
from facefleet.tasks.events import Tell, Wake, nobody
from facefleet.tasks.table import task_of, tasks
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import Change, State, states_before

_REQUEUEABLE = states_before(Change.REQUEUE)
Turn = tuple[datetime, str]  # when a queued task may run, and its id: the order in which a lane is served


@dataclass(frozen=True, slots=True)
class LaneCount:
    """The unfinished tasks of a lane.

    Attributes:
        oldest: Since when the queued task that has waited longest could have run; none where none is queued.
    """

    track: str
    lane: str
    queued: int = 0
    running: int = 0
    oldest: datetime | None = None

    def waited(self, now: datetime) -> float:
        """s that the oldest queued task has waited; 0 where none is queued or due."""
        return max(0.0, (now - self.oldest).total_seconds()) if self.oldest else 0.0


class Operations:
    """The same records as ``TaskRepository``, for operators and for what is measured.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock, tell: Tell = nobody) -> None:
        self._database = database
        self._clock = clock
        self._tell = tell

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def newest(self, limit: int, state: State | None = None) -> list[Task]:
        """The newest tasks of all tenants, newest first."""
        wanted = tasks.c.state == state if state else true()
        found = select(tasks).where(wanted).order_by(tasks.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [task_of(row) for row in connection.execute(found).mappings()]

    def get(self, task_id: str) -> Task:
        """The record, whoever's it is.

        Raises:
            TaskNotFound: There is none of this id.
        """
        if not (task_id.isascii() and task_id.isprintable()):  # no driver takes every string as a parameter
            raise _not_found(task_id)
        with self._database.read() as connection:
            row = connection.execute(select(tasks).where(tasks.c.id == task_id)).mappings().one_or_none()
        if row is None:
            raise _not_found(task_id)
        return task_of(row)

    def lanes(self) -> list[LaneCount]:
        """The lanes that have unfinished tasks."""
        by = (tasks.c.track, tasks.c.lane)
        queued, running = (func.count().filter(tasks.c.state == state) for state in (State.QUEUED, State.RUNNING))
        oldest = func.min(tasks.c.run_at).filter(tasks.c.state == State.QUEUED)
        unfinished = tasks.c.state.in_((State.QUEUED, State.RUNNING))
        with self._database.read() as connection:
            rows = connection.execute(
                select(*by, queued, running, oldest).where(unfinished).group_by(*by).order_by(*by)
            )
            return [LaneCount(*row) for row in rows]

    def queued(self, track: str, lane: str) -> int:
        """How many tasks of a lane are queued."""
        return self._count(and_(tasks.c.state == State.QUEUED, tasks.c.track == track, tasks.c.lane == lane))

    def started(self, track: str, lane: str, since: datetime) -> int:
        """How many tasks of a lane began their first run after ``since``."""
        return self._count(and_(tasks.c.lane == lane, tasks.c.started_at > since, tasks.c.track == track))

    def turns(self, track: str, lane: str, limit: int) -> list[Turn]:
        """The queued tasks of a lane that are due, next one first."""
        here = and_(tasks.c.state == State.QUEUED, tasks.c.track == track, tasks.c.lane == lane)
        due = select(tasks.c.run_at, tasks.c.id).where(here, tasks.c.run_at <= self._clock())
        with self._database.read() as connection:
            rows = connection.execute(due.order_by(tasks.c.run_at, tasks.c.id).limit(limit))
            return [(run_at, task_id) for run_at, task_id in rows]

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def requeue(self, task_id: str) -> Task:
        """Put a failed or canceled task back in the queue as if it were new, with all its budgets and its time.

        The sweeper sends its message.

        Raises:
            TaskNotFound: There is none of this id.
            RequeueRefused: It has not failed and was not canceled, its uploads are deleted, or it was erased.
        """
        now, before = self._clock(), self.get(task_id)
        can = and_(
            tasks.c.id == task_id, tasks.c.version == before.version, tasks.c.state.in_(_REQUEUEABLE),
            tasks.c.inputs_kept == true(), tasks.c.erased_at.is_(None),
        )  # fmt: skip
        fresh = update(tasks).where(can).values(
            state=State.QUEUED, failures=0, lost=0, version=tasks.c.version + 1,
            run_at=now, deadline_at=now + (before.deadline_at - before.created_at),
            sent_at=None, sent_epoch=None, lease_until=None, progress=0.0, step=None,
            error_code=None, error_message=None, error_detail=None, started_at=None, finished_at=None,
            result_kept=True, told="",
        )  # fmt: skip
        with self._database.write() as connection:
            done = connection.execute(fresh).rowcount
        found = self.get(task_id)
        if not done:
            raise _refusal(found)
        self._tell(Wake(found.id, found.version))
        return found

    def hold(self, task_id: str, *, on: bool) -> Task:
        """Begin or end the legal hold of a task: nothing of it is deleted meanwhile.

        Raises:
            TaskNotFound: There is none of this id.
        """
        other = and_(tasks.c.id == self.get(task_id).id, tasks.c.hold != on)
        change = update(tasks).where(other).values(hold=on, version=tasks.c.version + 1).returning(tasks.c.version)
        with self._database.write() as connection:
            version = connection.execute(change).scalar()
        if version is not None:
            self._tell(Wake(task_id, version))
        return self.get(task_id)

    def _count(self, condition: ColumnElement[bool]) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(tasks).where(condition)).scalar_one()


def _not_found(task_id: str) -> TaskNotFound:
    return TaskNotFound(f"There is no task {task_id[:64]!r}.", task_id=task_id[:64])


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
