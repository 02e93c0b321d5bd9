"""Defines the type of a clock, and the system's clock; whoever needs the time is given one, so tests can set it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time of day, UTC."""


def now() -> datetime:
    """The time of day, UTC."""
    return datetime.now(UTC)
