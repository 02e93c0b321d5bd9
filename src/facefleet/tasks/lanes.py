"""Names the lanes: the priorities by which workers take tasks, highest first."""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """Priorities, highest first."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BULK = "bulk"
