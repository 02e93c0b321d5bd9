"""Splits values into chunks that one statement of the database can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

CHUNK = 500  # records that one statement reads, changes or deletes; ids that one statement names


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """The values in their order, in lists of at most ``CHUNK``."""
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
