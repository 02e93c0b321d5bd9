"""Provides the base class of all views of the task records: their database, clock and writer, and one query."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from facefleet.clock import Clock
from facefleet.tasks.records.changes import OnCommit, RecordWriter, ignore_commit
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import Task


class Records:
    """The task records of one database, as a part of the service sees them.

    Every method raises ``RecordsUnavailable`` when the database does not answer.

    Args:
        database: Where they are.
        clock: UTC.
        on_commit: Called for every change of a record, when it is committed; must not raise.
    """

    def __init__(self, database: Database, clock: Clock, on_commit: OnCommit = ignore_commit) -> None:
        self._database = database
        self._clock = clock
        self._writer = RecordWriter(database, on_commit)

    def _select(self, condition: ColumnElement[bool]) -> list[Task]:
        """Those that meet the condition, the oldest first, at most a chunk of them."""
        oldest_first = select(tasks).where(condition).order_by(tasks.c.id).limit(CHUNK)
        with self._database.read() as connection:
            return [task_of(row) for row in connection.execute(oldest_first).mappings()]
