"""Builds and parses all object keys: objects of a tenant are under ``tenants/<tenant>/``, probes under ``health/``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

ALL_TENANTS = "tenants/"
HEALTH = "health/"  # empty but while somebody tries the store
MAX_TENANT = 64  # characters; the records have no more room
TENANT = rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_TENANT - 1}}}"
_PLACE = re.compile(r"tenants/(?P<tenant>[^/]+)/(?P<kind>inputs|results)/(?P<owner>[0-9a-f-]{36})/[^/]+(/[^/]+)?")
_SINGLE = re.compile(r"tenants/(?P<tenant>[^/]+)/(?P<kind>templates|uploads)/(?P<owner>[0-9a-f-]{36})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def input_key(tenant: str, task_id: str, role: str) -> str:
    """An uploaded photo: ``tenants/<tenant>/inputs/<task>/<role>``."""
    return f"{tenant_prefix(tenant)}inputs/{_name(task_id)}/{_name(role)}"


def result_key(tenant: str, task_id: str, fence: int) -> str:
    """The result of the run with this fence: ``tenants/<tenant>/results/<task>/<fence>``."""
    return f"{tenant_prefix(tenant)}results/{_name(task_id)}/{fence:d}"


def part_key(tenant: str, task_id: str, fence: int, part: str) -> str:
    """A part of the result of the run with this fence: ``tenants/<tenant>/results/<task>/<fence>/<part>``.

    A run stores either one object at ``result_key`` or parts below it: in a folder, a name is a file or a folder.
    """
    return f"{result_key(tenant, task_id, fence)}/{_name(part)}"


def run_prefix(key: str) -> str:
    """The common prefix of the keys of one run's results: ``tenants/<tenant>/results/<task>/<fence>``."""
    return "/".join(key.split("/")[:5])


def batch_key(tenant: str, batch_id: str, field: str, number: int) -> str:
    """A photo of a batch: ``tenants/<tenant>/inputs/<batch>/<field>-<number>``."""
    return input_key(tenant, batch_id, f"{field}-{number:04d}")


def template_key(tenant: str, template_id: str) -> str:
    """The photo of a template: ``tenants/<tenant>/templates/<id>``."""
    return f"{tenant_prefix(tenant)}templates/{_name(template_id)}"


def upload_key(tenant: str, upload_id: str) -> str:
    """A photo that its client sent by itself: ``tenants/<tenant>/uploads/<id>``."""
    return f"{tenant_prefix(tenant)}uploads/{_name(upload_id)}"


def probe_key(probe_id: str) -> str:
    """An object that tries the store and is deleted at once: ``health/<id>``."""
    return f"{HEALTH}{_name(probe_id)}"


def task_prefixes(tenant: str, task_id: str) -> tuple[str, str]:
    """Where a task's uploads are, and where the results of all its runs are."""
    return f"{tenant_prefix(tenant)}inputs/{_name(task_id)}/", f"{tenant_prefix(tenant)}results/{_name(task_id)}/"


def tenant_prefix(tenant: str) -> str:
    """The prefix of all objects of a tenant."""
    return f"tenants/{_name(tenant)}/"


def is_tenant(name: str) -> bool:
    """Whether a text can be the name of a tenant: of records, and of the prefix of all its objects."""
    return re.fullmatch(TENANT, name) is not None


def _name(part: str) -> str:
    if not _NAME.fullmatch(part):
        raise ValueError(f"not a name for an object key: {part[:64]!r}")
    return part


class Part(StrEnum):
    """The class of an object."""

    INPUTS = "inputs"
    RESULTS = "results"
    TEMPLATES = "templates"
    UPLOADS = "uploads"


@dataclass(frozen=True, slots=True)
class Place:
    """A parsed object key.

    Attributes:
        owner: Id of a task, of a batch (inputs), of a template, or of an upload.
    """

    key: str
    tenant: str
    owner: str
    part: Part


def place_of(key: str) -> Place | None:
    """Parse a key; none where it is no key of ours."""
    match = _PLACE.fullmatch(key) or _SINGLE.fullmatch(key)
    if match is None:
        return None
    return Place(key, match["tenant"], match["owner"], Part(match["kind"]))
