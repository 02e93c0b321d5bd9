"""Adds up what was used: tasks, bytes and seconds, by day, tenant and kind, and by key or token where that is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import and_, func, null, select, true

from facefleet.tasks.kinds import Kind
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.transitions import State


@dataclass(frozen=True, slots=True)
class DayUsage:
    """The tasks of one kind that were created on one day.

    Attributes:
        day: UTC.
        tenant: Whose they are.
        tasks: All, including those that have not ended.
        bytes_in: Sum over their uploads.
        bytes_out: Sum over their results.
        seconds: s of all runs that succeeded.
        credential: Id of the key or token that they were created with; none where there was none, or nobody asked.
        with_reference: Whose consent says where it is kept.
        own_photos: Whose source shows the caller, as it attested.
        by_guardian: For which a guardian agreed, as the caller attested.
    """

    day: date
    tenant: str
    kind: Kind
    tasks: int
    succeeded: int
    failed: int
    canceled: int
    bytes_in: int
    bytes_out: int
    seconds: float
    credential: str | None
    with_reference: int = 0
    own_photos: int = 0
    by_guardian: int = 0


class Usage:
    """Adds up the records; those that retention has deleted are not counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def days(
        self, tenant: str | None, first: date, last: date, *, by_credential: bool = False
    ) -> list[DayUsage]:  # fmt: skip
        """Totals by day, both ends included, without days on which no task was created.

        Args:
            tenant: Whose; every tenant's where not given.
            first: UTC.
            last: UTC.
            by_credential: Whether to tell the keys and tokens of a tenant apart.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        credential = tasks.c.credential if by_credential else null()
        groups = (func.date(tasks.c.created_at), tasks.c.tenant, tasks.c.kind)  # the records and sessions are in UTC
        ended = (func.count().filter(tasks.c.state == s) for s in (State.SUCCEEDED, State.FAILED, State.CANCELED))
        sums = (func.sum(column) for column in (tasks.c.bytes_in, tasks.c.bytes_out, tasks.c.seconds))
        attested = (
            func.count(tasks.c.consent_reference),
            *(func.count().filter(flag) for flag in (tasks.c.consent_own_photo, tasks.c.consent_guardian)),
        )
        begin, end = datetime.combine(first, time.min, UTC), datetime.combine(last, time.max, UTC)
        whose = true() if tenant is None else tasks.c.tenant == tenant
        wanted = and_(whose, tasks.c.created_at >= begin, tasks.c.created_at <= end)
        split = (*groups, credential) if by_credential else groups
        totals = select(*groups, func.count(), *ended, *sums, credential, *attested).where(wanted).group_by(*split)
        with self._database.read() as connection:
            days = [_day(*row) for row in connection.execute(totals)]
        return sorted(days, key=lambda one: (one.day, one.tenant, one.kind, one.credential or ""))


def _day(on: object, tenant: str, kind: str, *totals: Any) -> DayUsage:
    """Convert a row: PostgreSQL returns a date and decimals, SQLite texts and floats."""
    count, succeeded, failed, canceled, bytes_in, bytes_out, seconds, credential, *attested = totals
    return DayUsage(
        date.fromisoformat(str(on)), tenant, Kind(kind), count, succeeded, failed, canceled,
        int(bytes_in), int(bytes_out), round(float(seconds), 3), credential, *attested,
    )  # fmt: skip
