"""Lists the records of one tenant page by page: the newest first, the items of a batch in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select

from facefleet.tasks.ids import ID
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.pages import Page, before, checked_cursor, page_of
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

_ITEM = r"[0-9]{1,9}"
CURSOR = f"^({ID}|{_ITEM})$"


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """A filter of tasks; a field that is not given does not restrict the list.

    Attributes:
        created_after: UTC; exclusive.
        created_before: UTC; exclusive.
        batch: Only the items of this batch, in their order.
    """

    state: State | None = None
    kind: Kind | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    batch: str | None = None


class Listing:
    """Lists the records of a tenant.

    The cursor is the place of the last task of a page: its id, or its number in its batch. Ids sort by time, so pages
    after the first are the same whatever was added since.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, tenant: str, wanted: TaskFilter, cursor: str | None, limit: int) -> Page[Task]:
        """The tasks after the cursor.

        Raises:
            OptionInvalid: The cursor is not one that this list returned.
            RecordsUnavailable: The database does not answer.
        """
        conditions = [tasks.c.tenant == tenant, *_conditions(wanted), _after(cursor, wanted)]
        order = tasks.c.item if wanted.batch else tasks.c.id.desc()
        query = select(tasks).where(and_(*conditions)).order_by(order).limit(limit + 1)
        with self._database.read() as connection:
            rows = [task_of(row) for row in connection.execute(query).mappings()]
        return page_of(rows, limit, lambda task: str(task.item) if wanted.batch else task.id)


def _conditions(wanted: TaskFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.state:
        yield tasks.c.state == wanted.state
    if wanted.kind:
        yield tasks.c.kind == wanted.kind
    if wanted.created_after:
        yield tasks.c.created_at > wanted.created_after
    if wanted.created_before:
        yield tasks.c.created_at < wanted.created_before
    if wanted.batch:
        yield tasks.c.batch == wanted.batch


def _after(cursor: str | None, wanted: TaskFilter) -> ColumnElement[bool]:
    if cursor is not None and wanted.batch:
        return tasks.c.item > int(checked_cursor(cursor, _ITEM))
    return before(tasks.c.id, cursor)
