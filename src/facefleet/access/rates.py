"""Defines how often somebody may ask: a rate as it is written, and the rates of a tenant and of each of its keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

from facefleet.rate_settings import RATE


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests in any window of a length.

    Attributes:
        count: Requests, 1 to 9,999,999.
        seconds: The length of the window, 1 to 99,999 s.
    """

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """The rate that is written as ``600/60s``.

        Raises:
            ValueError: It is written otherwise.
        """
        parts = re.fullmatch(RATE, text, re.ASCII)
        if parts is None:
            raise ValueError(f"a rate is written as 600/60s, not {text[:40]!r}")
        return cls(int(parts[1]), int(parts[2]))

    @classmethod
    def parse_or_none(cls, text: str) -> Rate | None:
        """The same; an empty text is no rate."""
        return cls.parse(text) if text else None

    def __str__(self) -> str:
        return f"{self.count}/{self.seconds}s"


@dataclass(frozen=True, slots=True)
class Rates:
    """What a tenant may ask; none: as much as it likes.

    Attributes:
        tenant: All of its requests together.
        key: The requests with one API key, or of one subject of tokens.
    """

    tenant: Rate | None = None
    key: Rate | None = None


UNLIMITED = Rates()
