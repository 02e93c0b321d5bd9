"""Splits values into chunks that one statement of the database can take, and reads rows chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, RowMapping, Select

from facefleet.tasks.tables.database import Database

T = TypeVar("T")

CHUNK = 500  # records that one statement reads, changes or deletes; ids that one statement names


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in their order, in lists of at most ``CHUNK``."""
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def rows_in_order(
    database: Database, query: Select[Any], key: Column[Any], *, after: object = None, at_once: int = CHUNK
) -> Iterator[RowMapping]:
    """The rows of a query by ascending key; each chunk is a read of its own, and one is in memory at once.

    Args:
        database: Read from.
        query: Without an order; selects the key as well.
        key: Unique and never null.
        after: Of the row before the first; none: from the beginning.
        at_once: Rows of a chunk.

    Raises:
        RecordsUnavailable: The database does not answer.
    """
    while True:
        later = query if after is None else query.where(key > after)
        with database.read() as connection:
            found = connection.execute(later.order_by(key).limit(at_once)).mappings().all()
        yield from found
        if len(found) < at_once:
            return
        after = found[-1][key.name]
