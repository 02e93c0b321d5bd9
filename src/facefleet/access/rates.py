"""Defines how often somebody may ask: a rate as it is written, and the rates of a tenant and of each of its keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from facefleet.access.roles import Role
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
        roles: Role → the same for those who have it, in place of ``key``.
    """

    tenant: Rate | None = None
    key: Rate | None = None
    roles: Mapping[Role, Rate] = field(default_factory=dict)

    def of(self, roles: Collection[Role], usual: Rates) -> Rates:
        """The rates of somebody with these roles: by role, else by key, and where neither is here, the usual ones.

        Of several roles the one counts that allows most.
        """
        keys = [self.roles.get(role) or self.key or usual.roles.get(role) or usual.key for role in roles]
        keys = keys or [self.key or usual.key]
        limited = [rate for rate in keys if rate is not None]
        most = max(limited, key=lambda rate: rate.count / rate.seconds) if len(limited) == len(keys) else None
        return Rates(self.tenant or usual.tenant, most)


UNLIMITED = Rates()
