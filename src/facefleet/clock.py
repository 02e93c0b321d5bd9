"""The one type of a clock, and the one that programs use; tests bring their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time of day, UTC."""


def now() -> datetime:
    """The time of day, UTC."""
    return datetime.now(UTC)
