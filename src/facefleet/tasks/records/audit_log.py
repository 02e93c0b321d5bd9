"""Writes entries of the audit log, each in the transaction of the change that it is about, and lists them by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, insert, select, true

from facefleet.clock import Clock
from facefleet.tasks.audit import FIELDS, Action, Entry, Origin
from facefleet.tasks.ids import first_id_of
from facefleet.tasks.records.chunks import rows_in_order
from facefleet.tasks.records.pages import Page, before, page_of
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import audit

_INSERT = insert(audit)


def write_entry(connection: Connection, entry: Entry) -> None:
    """Add an entry; it is committed with everything else of the transaction, or not at all."""
    connection.execute(_INSERT, entry.values())


def entry_of(row: RowMapping) -> Entry:
    """The entry of a row."""
    return Entry(**{name: row[name] for name in FIELDS})


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """A filter of entries; a field that is not given does not restrict the list.

    Attributes:
        tenant: Whose objects; entries about nobody's have an empty one.
        after: UTC; inclusive, in whole ms.
        before: UTC; exclusive, in whole ms.
    """

    tenant: str | None = None
    actor: str | None = None
    action: Action | None = None
    object: str | None = None
    after: datetime | None = None
    before: datetime | None = None


class AuditLog:
    """The entries of one database.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def record(
        self, origin: Origin, action: Action, object: str | None, *, tenant: str | None = None,  # noqa: A002
        refused: str | None = None,
    ) -> None:  # fmt: skip
        """Commit an entry about what changes no record; arguments as of ``Origin.entry``."""
        with self._database.write() as connection:
            write_entry(connection, origin.entry(action, self._clock(), object, tenant=tenant, refused=refused))

    def page(self, wanted: AuditFilter, cursor: str | None, limit: int) -> Page[Entry]:
        """The entries after the cursor, the newest first.

        Raises:
            OptionInvalid: The cursor is not one that this list returned.
        """
        condition = and_(true(), *_conditions(wanted), before(audit.c.id, cursor))
        newest_first = select(audit).where(condition).order_by(audit.c.id.desc()).limit(limit + 1)
        with self._database.read() as connection:
            entries = [entry_of(row) for row in connection.execute(newest_first).mappings()]
        return page_of(entries, limit, lambda entry: entry.id)

    def entries(self, wanted: AuditFilter) -> Iterator[Entry]:
        """All of them, the oldest first; a chunk is in memory at once."""
        matching = select(audit).where(and_(true(), *_conditions(wanted)))
        return map(entry_of, rows_in_order(self._database, matching, audit.c.id))


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    columns: dict[str, Any] = {
        "tenant": wanted.tenant, "actor": wanted.actor, "action": wanted.action, "object": wanted.object,
    }  # fmt: skip
    yield from (audit.c[name] == value for name, value in columns.items() if value is not None)
    if wanted.after is not None:
        yield audit.c.id >= first_id_of(wanted.after)
    if wanted.before is not None:
        yield audit.c.id < first_id_of(wanted.before)
