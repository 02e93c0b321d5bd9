"""Turns the claims of a verified token into a principal: whose it is, who asks, by which roles, on which plan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facefleet.access.principal import Credential, CredentialKind, Principal
from facefleet.access.reasons import Reason
from facefleet.access.roles import Role, permissions_of
from facefleet.access.token_form import invalid
from facefleet.storage.keys import is_tenant

LONGEST_SUBJECT = 255
_PLAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ROLES = frozenset(Role)


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where an issuer puts what we need.

    A name with a slash is that of one claim (``https://acme.example/tenant``); else dots lead into objects
    (``realm_access.roles``).
    """

    tenant: str
    subject: str
    roles: str
    plan: str


def principal_of(claims: Mapping[str, Any], names: ClaimNames) -> Principal:
    """The principal that a token speaks of. Roles that are not ours are somebody else's, and left out.

    Raises:
        CredentialInvalid: It does not say whose it is or who asks, or says it in a form that cannot be kept.
    """
    tenant, subject = _claim(claims, names.tenant), _claim(claims, names.subject)
    if not isinstance(tenant, str) or not is_tenant(tenant):
        raise _unusable(names.tenant, "the name of a tenant: a letter or digit, then letters, digits, . _ -")
    if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise _unusable(names.subject, f"a text of 1 to {LONGEST_SUBJECT} printable characters")
    roles = _roles(_claim(claims, names.roles), names.roles)
    plan = _claim(claims, names.plan)
    if plan is not None and (not isinstance(plan, str) or not _PLAN.fullmatch(plan)):
        raise _unusable(names.plan, "the name of a plan")
    token_id = claims.get("jti")
    credential = Credential(CredentialKind.TOKEN, token_id[:LONGEST_SUBJECT] if isinstance(token_id, str) else "")
    return Principal(tenant, subject, roles, permissions_of(roles), credential, plan)


def _claim(claims: Mapping[str, Any], name: str) -> object:
    found: Any = claims
    for part in [name] if "/" in name else name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _roles(value: object, name: str) -> frozenset[Role]:
    """Those in a list of texts, or in one text with blanks between them, as scopes are written (RFC 8693)."""
    listed = value.split() if isinstance(value, str) else [] if value is None else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise _unusable(name, "a list of roles")
    return frozenset(Role(one) for one in listed if one in _ROLES)


def _unusable(name: str, wanted: str) -> Exception:
    return invalid(Reason.TOKEN_CLAIMS, f"The token's claim {name} is not {wanted}.")
