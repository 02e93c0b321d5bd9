"""Defines the session of a browser: who signed in, by which credential and until when; and the secret of its cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from facefleet.access.principal import Principal

LONGEST = timedelta(hours=12)
"""A session ends that long after the sign-in, or sooner with its credential."""

MOST = 20
"""So many sessions of one subject live at once; a further sign-in ends the oldest."""

_BYTES = 32
_PURPOSE = b"facefleet csrf"


@dataclass(frozen=True, slots=True)
class SessionSecret:
    """What the cookie holds: 256 random bits, new at each sign-in, so that nobody can fix it beforehand."""

    text: str = field(repr=False)

    @classmethod
    def new(cls) -> SessionSecret:
        """One that nobody has."""
        return cls(secrets.token_urlsafe(_BYTES))

    @property
    def digest(self) -> str:
        """What is stored of it (SHA-256, hexadecimal); so many random bits need neither salt nor a slow hash."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def csrf(self) -> str:
        """The token that requests which change something send beside the cookie (HMAC-SHA256 of a constant)."""
        return hmac.digest(self.text.encode(), _PURPOSE, hashlib.sha256).hex()

    def confirms(self, csrf: str) -> bool:
        """Whether a token is that of this session; takes as long either way."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in.

    Attributes:
        id: UUIDv7, so that sessions sort by the time of their sign-in.
        principal: Who signed in, with the credential that was shown; what a key may do is read anew each time.
        expires_at: When it ends by itself: never later than its credential.
    """

    id: str
    principal: Principal
    created_at: datetime
    expires_at: datetime
