"""Cuts lists of tasks, batches and templates into pages that a reader goes through by cursor."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, true

from facefleet.errors.input import OptionInvalid
from facefleet.tasks.ids import ID

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of records, with the cursor of the next page.

    Attributes:
        next_cursor: None where there are no more.
    """

    rows: list[T]
    next_cursor: str | None


def page_of(rows: list[T], limit: int, cursor_of: Callable[[T], str]) -> Page[T]:
    """The page of rows that were read: one more than ``limit`` of them where another page follows."""
    return Page(rows[:limit], cursor_of(rows[limit - 1]) if len(rows) > limit else None)


def before(id_column: ColumnElement[Any], cursor: str | None) -> ColumnElement[bool]:
    """The condition for rows after the cursor, the newest first; true for every row without a cursor.

    Raises:
        OptionInvalid: The cursor is not one that this list returned.
    """
    return true() if cursor is None else id_column < checked_cursor(cursor, ID)


def checked_cursor(cursor: str, pattern: str) -> str:
    """The cursor, after a check of its form; errors as above."""
    if not re.fullmatch(pattern, cursor):
        raise OptionInvalid("The cursor is none that this list gave; begin without one.", field="cursor")
    return cursor
