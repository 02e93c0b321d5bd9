"""Finds everything that the records hold about a tenant, or about one subject of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, RowMapping, Table, and_, false, func, or_, select, true

from facefleet.tasks.records.chunks import rows_in_order
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import api_keys, audit, batches, deliveries, sessions, tasks, templates, uploads


class Holding(StrEnum):
    """A class of rows about somebody."""

    TASKS = "tasks"
    BATCHES = "batches"
    TEMPLATES = "templates"
    UPLOADS = "uploads"
    DELIVERIES = "deliveries"
    KEYS = "keys"
    SESSIONS = "sessions"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody that rows are about.

    Attributes:
        subject: One subject of the tenant; none: all of the tenant.
    """

    tenant: str
    subject: str | None = None

    def __str__(self) -> str:
        """As a person writes it."""
        return self.tenant if self.subject is None else f"{self.subject} of {self.tenant}"


@dataclass(frozen=True, slots=True)
class TenantHoldings:
    """How much is held about a tenant.

    Attributes:
        erased: Tasks of which the receipt is left.
        held: Tasks under legal hold.
        uploads: Announced photos whose time is not over, come or not.
        keys: API keys that were not revoked.
        sessions: Browsers that signed in and have not ended it.
        entries: Of the audit log, about its objects or by its subjects.
    """

    tenant: str
    tasks: int = 0
    erased: int = 0
    held: int = 0
    batches: int = 0
    templates: int = 0
    uploads: int = 0
    keys: int = 0
    sessions: int = 0
    entries: int = 0


class Holdings:
    """The rows of one database by whom they are about.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def tenants(self) -> list[TenantHoldings]:
        """Every tenant that any row is about, by name."""
        every, others = true(), and_(audit.c.actor_tenant != "", audit.c.actor_tenant != audit.c.tenant)
        counted: tuple[tuple[str, Column[Any], ColumnElement[bool]], ...] = (
            ("tasks", tasks.c.tenant, every), ("erased", tasks.c.tenant, tasks.c.erased_at.is_not(None)),
            ("held", tasks.c.tenant, tasks.c.hold == true()), ("batches", batches.c.tenant, every),
            ("templates", templates.c.tenant, templates.c.deleted_at.is_(None)), ("uploads", uploads.c.tenant, every),
            ("keys", api_keys.c.tenant, api_keys.c.revoked_at.is_(None)), ("sessions", sessions.c.tenant, every),
            ("entries", audit.c.tenant, audit.c.tenant != ""), ("entries", audit.c.actor_tenant, others),
        )  # fmt: skip
        found: dict[str, Counter[str]] = defaultdict(Counter)
        with self._database.read() as connection:
            for name, tenant, condition in counted:
                for value, count in connection.execute(select(tenant, func.count()).where(condition).group_by(tenant)):
                    found[value][name] += count
        return [TenantHoldings(tenant, **counts) for tenant, counts in sorted(found.items())]

    def rows(self, holder: Holder, holding: Holding, *, erasable: bool = False) -> Iterator[RowMapping]:
        """The rows about somebody in the order of their ids; a chunk of them is in memory at once.

        Args:
            holder: About whom.
            holding: Which rows.
            erasable: Only what was not erased or deleted before.
        """
        table, condition = TABLES[holding], _about(holder, holding)
        if erasable:
            condition = and_(condition, _ERASABLE.get(holding, false()))
        return rows_in_order(self._database, select(*_shown(table)).where(condition), table.c.id)


TABLES: Mapping[Holding, Table] = {
    Holding.TASKS: tasks, Holding.BATCHES: batches, Holding.TEMPLATES: templates, Holding.UPLOADS: uploads,
    Holding.DELIVERIES: deliveries, Holding.KEYS: api_keys, Holding.SESSIONS: sessions,
    Holding.AUDIT: audit,
}  # fmt: skip
_ERASABLE: Mapping[Holding, ColumnElement[bool]] = {
    Holding.TASKS: tasks.c.erased_at.is_(None), Holding.BATCHES: batches.c.erased_at.is_(None),
    Holding.TEMPLATES: templates.c.deleted_at.is_(None), Holding.UPLOADS: true(),
    Holding.KEYS: api_keys.c.revoked_at.is_(None), Holding.SESSIONS: true(),
}  # fmt: skip


def _about(holder: Holder, holding: Holding) -> ColumnElement[bool]:
    table = TABLES[holding]
    if holding is Holding.AUDIT:  # whose object it is, or who did it
        if holder.subject is None:
            return or_(audit.c.tenant == holder.tenant, audit.c.actor_tenant == holder.tenant)
        return and_(audit.c.actor_tenant == holder.tenant, audit.c.actor == holder.subject)
    mine = table.c.tenant == holder.tenant
    if holder.subject is None:
        return mine
    if holding is Holding.DELIVERIES:
        theirs = select(tasks.c.id).where(tasks.c.tenant == holder.tenant, tasks.c.subject == holder.subject)
        return and_(mine, deliveries.c.task.in_(theirs))
    return and_(mine, (table.c.created_by if holding is Holding.KEYS else table.c.subject) == holder.subject)


def _shown(table: Table) -> list[Column[Any]]:
    """All columns but the hashes of keys and cookies, which are of use to nobody but the service."""
    return [one for one in table.columns if one is not api_keys.c.digest and one is not sessions.c.digest]
