"""Adds up what a tenant has used: tasks, bytes and seconds, by day and kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import and_, func, select

from facefleet.tasks.kinds import Kind
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.transitions import State


@dataclass(frozen=True, slots=True)
class DayUsage:
    """The tasks of one kind that were created on one day.

    Attributes:
        day: UTC.
        tasks: All, including those that have not ended.
        bytes_in: Sum over their uploads.
        bytes_out: Sum over their results.
        seconds: s of all runs that succeeded.
    """

    day: date
    kind: Kind
    tasks: int
    succeeded: int
    failed: int
    canceled: int
    bytes_in: int
    bytes_out: int
    seconds: float


class Usage:
    """Adds up the records; those that retention has deleted are not counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def days(self, tenant: str, first: date, last: date) -> list[DayUsage]:
        """Totals by day, both ends included, without days on which no task was created.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        day = func.date(tasks.c.created_at)  # the records are in UTC, and so is every session
        ended = (func.count().filter(tasks.c.state == s) for s in (State.SUCCEEDED, State.FAILED, State.CANCELED))
        sums = (func.sum(column) for column in (tasks.c.bytes_in, tasks.c.bytes_out, tasks.c.seconds))
        begin, end = datetime.combine(first, time.min, UTC), datetime.combine(last, time.max, UTC)
        mine = and_(tasks.c.tenant == tenant, tasks.c.created_at >= begin, tasks.c.created_at <= end)
        totals = select(day, tasks.c.kind, func.count(), *ended, *sums).where(mine)
        with self._database.read() as connection:
            rows = connection.execute(totals.group_by(day, tasks.c.kind).order_by(day, tasks.c.kind)).all()
        return [_day(*row) for row in rows]


def _day(on: object, kind: str, *sums: Any) -> DayUsage:
    """Convert a row: PostgreSQL returns a date and decimals, SQLite texts and floats."""
    count, succeeded, failed, canceled, bytes_in, bytes_out, seconds = sums
    return DayUsage(
        date.fromisoformat(str(on)), Kind(kind), count, succeeded, failed, canceled,
        int(bytes_in), int(bytes_out), round(float(seconds), 3),
    )  # fmt: skip
