"""Makes the ids of tasks, batches, templates and deliveries, and says whether a text can be one."""

from __future__ import annotations

import re

import uuid_utils.compat

ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # how an id is written


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562): ids sort by the time at which they were made."""
    return str(uuid_utils.compat.uuid7())


def is_id(text: str) -> bool:
    """Whether a text has the form of an id.

    A lookup asks this first and answers "not found" by itself where it is false: no driver takes every text as a
    parameter (PostgreSQL refuses NUL, SQLite half a surrogate pair).
    """
    return re.fullmatch(ID, text) is not None
