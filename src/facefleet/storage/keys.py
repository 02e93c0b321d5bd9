"""Object keys, built here and nowhere else: a tenant's bytes live under ``tenants/<tenant>/``."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def input_key(tenant: str, task_id: str, role: str) -> str:
    """An uploaded photo: ``tenants/<tenant>/inputs/<task>/<role>``."""
    return f"{tenant_prefix(tenant)}inputs/{_name(task_id)}/{_name(role)}"


def result_key(tenant: str, task_id: str, fence: int) -> str:
    """What the run with this fence made: ``tenants/<tenant>/results/<task>/<fence>``."""
    return f"{tenant_prefix(tenant)}results/{_name(task_id)}/{fence:d}"


def tenant_prefix(tenant: str) -> str:
    """Everything a tenant has."""
    return f"tenants/{_name(tenant)}/"


def _name(part: str) -> str:
    if not _NAME.fullmatch(part):
        raise ValueError(f"not a name for an object key: {part[:64]!r}")
    return part
