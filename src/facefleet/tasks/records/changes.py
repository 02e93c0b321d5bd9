"""Makes every change of a record: builds its SQL out of the table of transitions, runs it, and announces the commit.

A change is one conditional UPDATE, so any number of processes may race: one that finds another state, fence or version
than it expects changes nothing and returns no row. Statements are built once: building one takes as long as running it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, RowMapping, bindparam, case, insert, true, update
from sqlalchemy.sql.dml import ReturningUpdate

from facefleet.errors.base import FacefleetError
from facefleet.tasks.audit import Entry
from facefleet.tasks.events import Wake
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import row_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import Failure, Task
from facefleet.tasks.transitions import TRANSITIONS, Actor, Change, State, Transition

_NUL = "\0"  # no text of PostgreSQL can hold it
_PREFIX = "param_"  # no column begins like this: a parameter must not have the name of a column


@dataclass(frozen=True, slots=True)
class Committed:
    """One change of one record, after its commit.

    Attributes:
        version: Of the record, with this change.
    """

    change: Change
    by: Actor
    task_id: str
    version: int

    @property
    def wake(self) -> Wake:
        """The wake that is sent to its readers."""
        return Wake(self.task_id, self.version)


OnCommit = Callable[[Committed], object]
"""The one hook that every committed change passes; it must not raise."""


def ignore_commit(_: Committed) -> None:
    """A hook that does nothing."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One change as SQL; it returns id and version of each record that it changed."""

    change: Change
    by: Actor
    update: ReturningUpdate[Any]


def param(name: str) -> BindParameter[Any]:
    """A value that is given when a statement runs."""
    return bindparam(_PREFIX + name)


def params(**values: object) -> dict[str, object]:
    """The values of a statement's parameters."""
    return {_PREFIX + name: value for name, value in values.items()}


def statement(change: Change, by: Actor, *where: ColumnElement[bool], whole: bool = False, **values: Any) -> Statement:
    """The UPDATE that makes a change; the table of transitions gives its states before and after.

    Args:
        change: Row of the table.
        by: Who will run it.
        where: What must hold besides the state.
        whole: Return all columns, not id and version alone.
        values: Columns that change besides state and version.

    Raises:
        ValueError: The table does not allow this change to ``by``.
    """
    row = TRANSITIONS[change]
    if by not in row.by:
        raise ValueError(f"{change} is not for the {by}")
    changed = {**_state_after(row), "version": tasks.c.version + 1, **values}
    returned = (tasks,) if whole else (tasks.c.id, tasks.c.version)
    return Statement(change, by, update(tasks).where(*where, _in_states(row)).values(changed).returning(*returned))


def _in_states(row: Transition) -> ColumnElement[bool]:
    before = [state for state in row.moves if state is not None]
    if len(before) == len(State):
        return true()
    return tasks.c.state == before[0] if len(before) == 1 else tasks.c.state.in_(before)


def _state_after(row: Transition) -> Mapping[str, Any]:
    moved = {old: new for old, new in row.moves.items() if old is not new}
    if not moved:
        return {}
    if len(moved) == len(row.moves) and len(set(moved.values())) == 1:
        return {"state": next(iter(moved.values()))}
    return {"state": case(*((tasks.c.state == old, new) for old, new in moved.items()), else_=tasks.c.state)}


class Transaction:
    """One write to the records: changes, and further statements committed with them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.made: list[Committed] = []

    def add(self, by: Actor, records: Sequence[Task]) -> None:
        """Insert new records."""
        rows = [row_of(task) for task in records]  # as parameters: the statement is compiled once
        self.connection.execute(insert(tasks), rows if len(rows) > 1 else rows[0])
        self.made += [Committed(Change.ADD, by, task.id, task.version) for task in records]

    def record(self, entry: Entry) -> None:
        """Add an entry to the audit log."""
        write_entry(self.connection, entry)

    def change(self, wanted: Statement, **values: object) -> Sequence[RowMapping]:
        """Make a change, and return the columns that its statement returns for each record that it changed."""
        rows = self.connection.execute(wanted.update, params(**values)).mappings().all()
        self.made += [Committed(wanted.change, wanted.by, row["id"], row["version"]) for row in rows]
        return rows


class RecordWriter:
    """Writes to the records of one database.

    Args:
        database: Where they are.
        on_commit: Called for every change, when it is committed; must not raise.
    """

    def __init__(self, database: Database, on_commit: OnCommit = ignore_commit) -> None:
        self._database = database
        self._on_commit = on_commit

    @contextmanager
    def transaction(self, *, undoable: bool = False) -> Iterator[Transaction]:
        """Changes that are committed together or not at all; ``undoable`` and errors as in ``Database.write``."""
        with self._database.write(undoable=undoable) as connection:
            transaction = Transaction(connection)
            yield transaction
        for committed in transaction.made:
            self._on_commit(committed)

    def change(
        self, wanted: Statement, *, undoable: bool = False, entry: Entry | None = None, **values: object
    ) -> RowMapping | None:
        """Make one change of one record, and add its entry to the audit log.

        Returns:
            What the statement returns; none where the record is not as it expects, and then nothing was written.
        """
        with self.transaction(undoable=undoable) as transaction:
            rows = transaction.change(wanted, **values)
            if rows and entry is not None:
                transaction.record(entry)
        return rows[0] if rows else None


# ── columns that several changes set ─────────────────────────────────────────────────────────────────────────────────

HELD = (tasks.c.id == param("task_id"), tasks.c.fence == param("fence"))
"""Where the run with this fence holds the task."""
BACK_IN_QUEUE: Mapping[str, Any] = {
    "run_at": param("run_at"), "lease_until": None, "sent_at": None, "sent_epoch": None, "progress": 0.0, "step": None,
}  # fmt: skip
ENDED: Mapping[str, Any] = {"finished_at": param("now"), "lease_until": None}
ERROR: Mapping[str, Any] = {name: param(name) for name in ("error_code", "error_message", "error_detail")}


def failure_of(error: FacefleetError) -> Failure:
    """The failure that a record stores for an error."""
    return Failure(error.code, error.message.replace(_NUL, "\N{REPLACEMENT CHARACTER}"), error.detail)


def error_values(error: FacefleetError) -> dict[str, Any]:
    """The values of ``ERROR``."""
    failure = failure_of(error)
    return {"error_code": failure.code, "error_message": failure.message, "error_detail": dict(failure.detail)}
