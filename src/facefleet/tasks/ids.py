"""Makes the ids of tasks, batches, templates, deliveries and entries, and says whether a text can be one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import uuid_utils.compat

ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # how an id is written
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562): ids sort by the time at which they were made."""
    return str(uuid_utils.compat.uuid7())


def new_id_of(at: datetime) -> str:
    """A fresh UUIDv7 of this time, in whole ms; those of the same ms are in no order."""
    return str(uuid_utils.compat.uuid7(nanoseconds=_ms(at) * 1_000_000))


def first_id_of(at: datetime) -> str:
    """What sorts before every id of this ms and after every earlier one."""
    digits = f"{_ms(at):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def is_id(text: str) -> bool:
    """Whether a text has the form of an id.

    A lookup asks this first and answers "not found" by itself where it is false: no driver takes every text as a
    parameter (PostgreSQL refuses NUL, SQLite half a surrogate pair).
    """
    return re.fullmatch(ID, text) is not None
