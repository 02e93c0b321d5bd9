"""Says in one table which roles have which permission.

All of them but the operator's are about the principal's own tenant; an operator sees the records of every tenant, and
nobody's photos.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from facefleet.access.permissions import Permission


class Role(StrEnum):
    """What somebody is to the service; a principal can have several."""

    VIEWER = "viewer"
    MEMBER = "member"
    TENANT_ADMIN = "tenant-admin"
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    AUDITOR = "auditor"


# fmt: off
ALLOWED: Mapping[Permission, frozenset[Role]] = {
    Permission.DOCUMENTS_READ:   frozenset(Role),
    Permission.TASKS_READ:       frozenset({Role.VIEWER, Role.MEMBER, Role.TENANT_ADMIN, Role.REVIEWER}),
    Permission.TEMPLATES_READ:   frozenset({Role.VIEWER, Role.MEMBER, Role.TENANT_ADMIN, Role.REVIEWER}),
    Permission.USAGE_READ:       frozenset({Role.VIEWER, Role.MEMBER, Role.TENANT_ADMIN, Role.AUDITOR}),
    Permission.TASKS_CREATE:     frozenset({Role.MEMBER, Role.TENANT_ADMIN}),
    Permission.TASKS_CANCEL:     frozenset({Role.MEMBER, Role.TENANT_ADMIN}),
    Permission.TASKS_ERASE:      frozenset({Role.MEMBER, Role.TENANT_ADMIN}),
    Permission.TEMPLATES_CREATE: frozenset({Role.MEMBER, Role.TENANT_ADMIN}),
    Permission.TEMPLATES_DELETE: frozenset({Role.MEMBER, Role.TENANT_ADMIN}),
    Permission.WEBHOOKS_REPLAY:  frozenset({Role.MEMBER, Role.TENANT_ADMIN}),
    Permission.AUDIT_READ:       frozenset({Role.AUDITOR}),
    Permission.KEYS_MANAGE:      frozenset({Role.TENANT_ADMIN}),
    Permission.OPERATE:          frozenset({Role.OPERATOR}),
    Permission.METRICS_READ:     frozenset({Role.OPERATOR}),
}
# fmt: on


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """What somebody with these roles may do."""
    wanted = frozenset(roles)
    return frozenset(permission for permission, allowed in ALLOWED.items() if allowed & wanted)
