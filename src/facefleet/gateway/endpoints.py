"""Lists every endpoint of the gateway in one table: who may ask, what its body may be, which kind of task it makes.

Authentication, body limit, request metrics, access log, tracing and the routes read it; a test compares it with the
routes of the application.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from starlette.routing import compile_path
from starlette.types import Scope

from facefleet.access.permissions import Permission
from facefleet.tasks.kinds import Kind

_ENDPOINT = "endpoint"  # in the state of a request: looked up once for all layers


class Body(Enum):
    """Which allowance the body of a request has; the settings say how much that is."""

    USUAL = "usual"
    BATCH = "batch"
    PHOTO = "photo"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: Of HTTP.
        path: As the router writes it, with its parameters in braces.
        permission: What the caller needs; none: the endpoint is public, and nobody asks who calls.
        kind: Of the tasks that it makes; none where it makes none.
        body: What its body may be.
        polled: Whether machines ask it every few seconds; such requests have neither a span nor a line in the log.
    """

    method: str
    path: str
    permission: Permission | None
    kind: Kind | None = None
    body: Body = Body.USUAL
    polled: bool = False

    @property
    def public(self) -> bool:
        """Whether anybody may ask, from anywhere."""
        return self.permission is None


def _get(path: str, permission: Permission | None, *, polled: bool = False) -> Endpoint:
    return Endpoint("GET", path, permission, polled=polled)


def _head(path: str, permission: Permission | None) -> Endpoint:
    return Endpoint("HEAD", path, permission)


def _post(path: str, permission: Permission, kind: Kind | None = None, body: Body = Body.USUAL) -> Endpoint:
    return Endpoint("POST", path, permission, kind, body)


def _put(path: str, permission: Permission, body: Body = Body.USUAL) -> Endpoint:
    return Endpoint("PUT", path, permission, body=body)


def _delete(path: str, permission: Permission) -> Endpoint:
    return Endpoint("DELETE", path, permission)


# fmt: off
ENDPOINTS: tuple[Endpoint, ...] = (
    # A probe comes by the address of the pod, which is not a name of this machine: whoever asks is answered.
    _get("/healthz", None, polled=True),
    _get("/readyz", None, polled=True),
    _get("/metrics", Permission.METRICS_READ, polled=True),

    # Files of this package, the same for everybody; the page itself asks whoever opens it to sign in.
    _get("/", None),
    _head("/", None),
    _get("/page/{digest}/{name:path}", None),
    _head("/page/{digest}/{name:path}", None),
    _get("/docs/errors", None),
    _get("/openapi.json", Permission.DOCUMENTS_READ),
    _head("/openapi.json", Permission.DOCUMENTS_READ),

    # What every role has: whoever has any good credential may sign in.
    _post("/v1/session", Permission.DOCUMENTS_READ, body=Body.SMALL),
    _get("/v1/session", Permission.DOCUMENTS_READ),
    _delete("/v1/session", Permission.DOCUMENTS_READ),

    _post("/fuse", Permission.TASKS_CREATE, Kind.FUSE),
    _post("/v1/fuse", Permission.TASKS_CREATE, Kind.FUSE),
    _post("/v1/faces", Permission.TASKS_CREATE, Kind.DETECT),

    _post("/v1/uploads", Permission.TASKS_CREATE, body=Body.SMALL),
    _put("/v1/uploads/{upload_id}/content", Permission.TASKS_CREATE, Body.PHOTO),
    _delete("/v1/uploads/{upload_id}", Permission.TASKS_CREATE),

    _get("/v1/tasks", Permission.TASKS_READ),
    _get("/v1/tasks/{task_id}", Permission.TASKS_READ),
    _get("/v1/tasks/{task_id}/events", Permission.TASKS_READ),
    _get("/v1/tasks/{task_id}/result", Permission.TASKS_READ),
    _head("/v1/tasks/{task_id}/result", Permission.TASKS_READ),
    _get("/v1/tasks/{task_id}/webhooks", Permission.TASKS_READ),
    _post("/v1/tasks/{task_id}/webhooks/{delivery_id}/replay", Permission.WEBHOOKS_REPLAY),
    _post("/v1/tasks/{task_id}/cancel", Permission.TASKS_CANCEL),
    _delete("/v1/tasks/{task_id}", Permission.TASKS_ERASE),

    _post("/v1/batches", Permission.TASKS_CREATE, Kind.FUSE, Body.BATCH),
    _get("/v1/batches", Permission.TASKS_READ),
    _get("/v1/batches/{batch_id}", Permission.TASKS_READ),
    _get("/v1/batches/{batch_id}/results", Permission.TASKS_READ),
    _post("/v1/batches/{batch_id}/cancel", Permission.TASKS_CANCEL),
    _delete("/v1/batches/{batch_id}", Permission.TASKS_ERASE),

    _post("/v1/templates", Permission.TEMPLATES_CREATE, Kind.TEMPLATE),
    _get("/v1/templates", Permission.TEMPLATES_READ),
    _get("/v1/templates/{template_id}", Permission.TEMPLATES_READ),
    _get("/v1/templates/{template_id}/image", Permission.TEMPLATES_READ),
    _head("/v1/templates/{template_id}/image", Permission.TEMPLATES_READ),
    _delete("/v1/templates/{template_id}", Permission.TEMPLATES_DELETE),

    _get("/v1/usage", Permission.USAGE_READ),
    _get("/v1/policy", Permission.USAGE_READ),
    _get("/v1/audit", Permission.AUDIT_READ),

    _post("/v1/keys", Permission.KEYS_MANAGE),
    _get("/v1/keys", Permission.KEYS_MANAGE),
    _get("/v1/keys/{key_id}", Permission.KEYS_MANAGE),
    _delete("/v1/keys/{key_id}", Permission.KEYS_MANAGE),
    _post("/v1/keys/{key_id}/rotate", Permission.KEYS_MANAGE),

    _get("/v1/operator/tasks", Permission.OPERATE),
    _get("/v1/operator/tasks/{task_id}", Permission.OPERATE),
    _post("/v1/operator/tasks/{task_id}/requeue", Permission.OPERATE),
    _post("/v1/operator/tasks/{task_id}/cancel", Permission.OPERATE),
    _put("/v1/operator/tasks/{task_id}/hold", Permission.OPERATE),
    _get("/v1/operator/audit", Permission.OPERATE),
    _get("/v1/operator/usage", Permission.OPERATE),
    _get("/v1/operator/policies", Permission.OPERATE),
    _get("/v1/operator/policies/{scope}/{name}", Permission.OPERATE),
    _put("/v1/operator/policies/{scope}/{name}", Permission.OPERATE),
    _delete("/v1/operator/policies/{scope}/{name}", Permission.OPERATE),
    _get("/v1/operator/lanes", Permission.OPERATE),
    _put("/v1/operator/lanes/{lane}/pause", Permission.OPERATE),
    _delete("/v1/operator/lanes/{lane}/pause", Permission.OPERATE),
    _get("/v1/operator/maintenance", Permission.OPERATE),
    _put("/v1/operator/maintenance", Permission.OPERATE),
    _delete("/v1/operator/maintenance", Permission.OPERATE),
)
# fmt: on


class _Index:
    """Finds the endpoint of a request: plain paths by a dictionary, those with parameters as the router does."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._plain: dict[tuple[str, str], Endpoint] = {}
        self._patterns: dict[str, list[tuple[re.Pattern[str], Endpoint]]] = {}
        for endpoint in endpoints:
            if "{" in endpoint.path:
                pattern = compile_path(endpoint.path)[0]
                self._patterns.setdefault(endpoint.method, []).append((pattern, endpoint))
            else:
                self._plain[endpoint.method, endpoint.path] = endpoint

    def find(self, method: str, path: str) -> Endpoint | None:
        """The endpoint, or none where the router will answer with 404 or 405."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain
        matches = (endpoint for pattern, endpoint in self._patterns.get(method, ()) if pattern.match(path))
        return next(matches, None)


_INDEX = _Index(ENDPOINTS)


def endpoint_of(scope: Scope) -> Endpoint | None:
    """The endpoint that an HTTP request asks; none where there is none of this path and method."""
    state = scope.setdefault("state", {})
    if _ENDPOINT not in state:
        state[_ENDPOINT] = _INDEX.find(scope["method"], scope["path"])
    endpoint: Endpoint | None = state[_ENDPOINT]
    return endpoint
