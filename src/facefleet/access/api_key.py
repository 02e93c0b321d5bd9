"""Defines an API key as the records have it: whose it is, what it may do and for how long; not the key itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from facefleet.access.keys import TEST
from facefleet.access.permissions import Permission
from facefleet.access.principal import Credential, CredentialKind, Principal
from facefleet.access.roles import Role, permissions_of


class KeyState(StrEnum):
    """Whether a key works."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key.

    Attributes:
        id: UUIDv7, so that keys sort by the time they were made.
        name: In the words of whoever made it; not unique.
        prefix: The part of the key by which it is found and may be shown.
        roles: What its holder is to the service.
        scope: The only permissions of those roles that it has; all of them where None.
        created_by: Subject that made it.
        expires_at: None: it does not.
        used_at: Roughly: written once a minute at most.
        replaced_by: Id of the key that it was rotated into.
    """

    id: str
    tenant: str
    name: str
    prefix: str
    roles: frozenset[Role]
    scope: frozenset[Permission] | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    replaced_by: str | None = None

    @property
    def test(self) -> bool:
        """Whether it is a test key."""
        return self.prefix.startswith(TEST)

    @property
    def permissions(self) -> frozenset[Permission]:
        """What it may do."""
        granted = permissions_of(self.roles)
        return granted if self.scope is None else granted & self.scope

    @property
    def subject(self) -> str:
        """Who is written down as having asked."""
        return f"key:{self.id}"

    def state(self, now: datetime) -> KeyState:
        """Whether it works at a time."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return KeyState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return KeyState.EXPIRED
        return KeyState.ACTIVE

    def principal(self) -> Principal:
        """Whoever shows it."""
        credential = Credential(CredentialKind.KEY, self.id)
        return Principal(self.tenant, self.subject, self.roles, self.permissions, credential, test=self.test)
