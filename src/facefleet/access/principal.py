"""Defines who a request is answered for: the principal that its credential stands for, never the credential itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from facefleet.access.permissions import Permission
from facefleet.access.roles import Role


class CredentialKind(StrEnum):
    """What somebody showed in order to be let in."""

    LOCAL = "local"  # nothing: whoever is on this machine is its owner (ADR 0005)
    TOKEN = "token"  # noqa: S105 - a name
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Credential:
    """Which credential it was, for logs and audit; it cannot be used as one.

    Attributes:
        id: Of the key; of a token its ``jti``, empty where it has none.
    """

    kind: CredentialKind
    id: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was authenticated.

    Attributes:
        tenant: Whose bytes the uploads are.
        subject: Who it is.
        roles: What it is to the service.
        permissions: What it may do: those of its roles, or a part of them.
        credential: What it showed.
        plan: Of a token that names one.
        test: Whether it showed a test key, whose tasks are for trying out the service.
    """

    tenant: str
    subject: str
    roles: frozenset[Role]
    permissions: frozenset[Permission]
    credential: Credential
    plan: str | None = None
    test: bool = False


LOCAL = Principal("local", "local", frozenset(Role), frozenset(Permission), Credential(CredentialKind.LOCAL))
"""Everybody, where no credentials are asked for."""
