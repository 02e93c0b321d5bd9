"""Names the permissions: each endpoint asks for one of them, each role is a set of them."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """Names what a principal may be allowed to do."""

    TASKS_CREATE = "tasks.create"
    TASKS_READ = "tasks.read"
    TASKS_CANCEL = "tasks.cancel"
    TASKS_ERASE = "tasks.erase"
    TEMPLATES_CREATE = "templates.create"
    TEMPLATES_READ = "templates.read"
    TEMPLATES_DELETE = "templates.delete"
    WEBHOOKS_REPLAY = "webhooks.replay"
    USAGE_READ = "usage.read"
    AUDIT_READ = "audit.read"
    KEYS_MANAGE = "keys.manage"
    OPERATE = "operate"
    METRICS_READ = "metrics.read"
    DOCUMENTS_READ = "documents.read"  # the page, the documentation, the description of the API
