"""Counts the tasks of each lane: for the limit of the backlog, the queue position, the metrics and operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select

from facefleet.clock import Clock
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.transitions import UNFINISHED, State

Turn = tuple[datetime, str]  # when a queued task may run, and its id: the order in which a lane is served


@dataclass(frozen=True, slots=True)
class LaneCount:
    """The unfinished tasks of a lane.

    Attributes:
        oldest: Earliest ``run_at`` of the queued tasks; none where none is queued.
    """

    track: str
    lane: str
    queued: int = 0
    running: int = 0
    oldest: datetime | None = None

    def waited(self, now: datetime) -> float:
        """s that the oldest queued task has waited; 0 where none is queued or due."""
        return max(0.0, (now - self.oldest).total_seconds()) if self.oldest else 0.0


class LaneCounts:
    """Counts the records of all tenants.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def all(self) -> list[LaneCount]:
        """The lanes that have unfinished tasks."""
        by = (tasks.c.track, tasks.c.lane)
        queued, running = (func.count().filter(tasks.c.state == state) for state in (State.QUEUED, State.RUNNING))
        oldest = func.min(tasks.c.run_at).filter(tasks.c.state == State.QUEUED)
        counted = select(*by, queued, running, oldest).where(tasks.c.state.in_(UNFINISHED)).group_by(*by).order_by(*by)
        with self._database.read() as connection:
            return [LaneCount(*row) for row in connection.execute(counted)]

    def queued(self, track: str, lane: str) -> int:
        """How many tasks of a lane are queued."""
        return self._count(_queued_in(track, lane))

    def started(self, track: str, lane: str, since: datetime) -> int:
        """How many tasks of a lane began their first run after ``since``."""
        return self._count(and_(tasks.c.lane == lane, tasks.c.started_at > since, tasks.c.track == track))

    def turns(self, track: str, lane: str, limit: int) -> list[Turn]:
        """The queued tasks of a lane that are due, next one first."""
        due = select(tasks.c.run_at, tasks.c.id).where(_queued_in(track, lane), tasks.c.run_at <= self._clock())
        with self._database.read() as connection:
            rows = connection.execute(due.order_by(tasks.c.run_at, tasks.c.id).limit(limit))
            return [(run_at, task_id) for run_at, task_id in rows]

    def _count(self, condition: ColumnElement[bool]) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(tasks).where(condition)).scalar_one()


def _queued_in(track: str, lane: str) -> ColumnElement[bool]:
    return and_(tasks.c.state == State.QUEUED, tasks.c.track == track, tasks.c.lane == lane)
