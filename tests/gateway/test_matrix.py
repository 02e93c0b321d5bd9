"""Every route, asked by every role of the tenant and of another one: each cell of that table is asserted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.gateway.conftest import picture, served
from tests.schemas import bring_to_schema
from tests.servers import ValkeyServer

from facefleet.access.key_maker import KeyRequest
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.config import load
from facefleet.gateway.app import create
from facefleet.gateway.endpoints import ENDPOINTS, Endpoint
from facefleet.gateway.parts import Parts
from facefleet.gateway.routes.page import Site
from facefleet.tasks.audit import Origin
from facefleet.tasks.tables.database import Database

OWNER, OTHER = "acme", "rival"
# Written out once more, by role: a change of the table of roles must be meant twice.
MAY: Mapping[Role, set[str]] = {
    Role.VIEWER: {"documents.read", "tasks.read", "templates.read", "usage.read"},
    Role.REVIEWER: {"documents.read", "tasks.read", "templates.read"},
    Role.AUDITOR: {"documents.read", "usage.read", "audit.read"},
    Role.OPERATOR: {"documents.read", "operate", "metrics.read"},
    Role.MEMBER: {
        "documents.read", "tasks.read", "tasks.create", "tasks.cancel", "tasks.erase",
        "templates.read", "templates.create", "templates.delete", "webhooks.replay", "usage.read",
    },
    Role.TENANT_ADMIN: {
        "documents.read", "tasks.read", "tasks.create", "tasks.cancel", "tasks.erase",
        "templates.read", "templates.create", "templates.delete", "webhooks.replay", "usage.read", "keys.manage",
    },
}  # fmt: skip

# The answer to whoever may ask, about a task that was canceled; 200 where it is not here.
ANSWERS: Mapping[tuple[str, str], int | str] = {
    ("POST", "/fuse"): 202, ("POST", "/v1/fuse"): 202, ("POST", "/v1/faces"): 202, ("POST", "/v1/batches"): 202,
    ("POST", "/v1/templates"): 202, ("POST", "/v1/keys"): 201, ("POST", "/v1/keys/{key_id}/rotate"): 201,
    ("GET", "/v1/tasks/{task_id}/result"): "result_unavailable", ("HEAD", "/v1/tasks/{task_id}/result"): 410,
    ("POST", "/v1/tasks/{task_id}/webhooks/{delivery_id}/replay"): "delivery_not_found",
    ("POST", "/v1/uploads"): 201, ("PUT", "/v1/uploads/{upload_id}/content"): 204,
    ("DELETE", "/v1/uploads/{upload_id}"): 204,
    ("POST", "/v1/session"): 201, ("DELETE", "/v1/session"): 204,
}  # fmt: skip
# What is told of something that is another tenant's, by the parameter that names it.
HIDDEN = {
    "task_id": "task_not_found", "batch_id": "batch_not_found", "template_id": "template_not_found",
    "key_id": "key_not_found", "upload_id": "upload_not_found",
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """A gateway with two tenants, each with a key of every role.

    Attributes:
        kept: Ids of what the owner has, for those who cannot change it.
    """

    client: httpx.Client
    keys: Mapping[tuple[str, Role], str]
    kept: dict[str, str] = field(default_factory=dict)

    def ask(self, tenant: str, role: Role, endpoint: Endpoint, ids: Mapping[str, str]) -> httpx.Response:
        path = endpoint.path.replace(":path", "").format(
            lane="bulk", scope="plan", delivery_id=uuid4(), digest=Site.load().digest, name="main.js", **ids
        )
        return self._send(self.keys[tenant, role], endpoint.method, path)

    def owned(self) -> dict[str, str]:
        """What the owner has, new: a task that was canceled, a batch, a template, a key, an upload."""
        admin = self.keys[OWNER, Role.TENANT_ADMIN]
        task = self._send(admin, "POST", "/v1/fuse").json()["task_id"]
        self._send(admin, "POST", f"/v1/tasks/{task}/cancel")
        batch = self._send(admin, "POST", "/v1/batches").json()["batch_id"]
        template = self._send(admin, "POST", "/v1/templates").json()["template_id"]
        key = self._send(admin, "POST", "/v1/keys").json()["key_id"]
        upload = self._send(admin, "POST", "/v1/uploads").json()["upload_id"]
        return {"task_id": task, "batch_id": batch, "template_id": template, "key_id": key, "upload_id": upload}

    def _send(self, key: str, method: str, path: str) -> httpx.Response:
        body = _body(method, path)
        headers = {"Authorization": f"Bearer {key}", "Prefer": "wait=0"} | body.pop("headers", {})
        self.client.cookies.clear()  # of a sign-in a moment ago
        return self.client.request(method, path, headers=headers, **body)


def _body(method: str, path: str) -> dict[str, Any]:
    photos = {
        "/fuse": ("source", "target"), "/v1/fuse": ("source", "target"), "/v1/batches": ("source", "target"),
        "/v1/faces": ("image",), "/v1/templates": ("image",),
    }  # fmt: skip
    if method == "POST" and path in photos:
        files = [(name, (f"{name}.jpg", PHOTO)) for name in photos[path]]
        return {"files": files, "data": {} if path == "/v1/faces" else {"consent": "true"}}
    if (method, path) == ("POST", "/v1/keys"):
        return {"json": {"name": "one", "roles": ["viewer"]}}
    if (method, path) == ("POST", "/v1/uploads"):
        digest = hashlib.sha256(PHOTO).hexdigest()
        return {"json": {"size": len(PHOTO), "type": "image/jpeg", "sha256": digest}}
    if method == "PUT" and path.startswith("/v1/uploads/"):
        return {"content": PHOTO, "headers": {"Content-Type": "image/jpeg"}}
    if "/policies/" in path:
        return {"json": {}}
    return {"json": {"hold": False}} if path.endswith("/hold") else {}


PHOTO = picture()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    settings = load(data=folder, queue={"url": valkey.url, "prefix": uuid4().hex}, auth={"keys": True})
    database = Database(settings.records_url)
    bring_to_schema(database)
    database.close()
    with ExitStack() as stack:
        parts = Parts.build(settings)
        stack.callback(parts.close)
        desk = parts.access.keys
        assert desk is not None
        keys = {}
        for tenant in (OWNER, OTHER):
            for role in Role:
                request = KeyRequest(tenant=tenant, name=role, roles=frozenset({role}))
                keys[tenant, role] = desk.maker.create(request, Origin("test"), frozenset(Permission)).text.text
        address = stack.enter_context(served(create(settings, parts)))
        client = stack.enter_context(httpx.Client(base_url=address, trust_env=False, verify=False, timeout=30.0))
        made = World(client, keys)
        made.kept.update(made.owned())
        yield made


ASKED = [endpoint for endpoint in ENDPOINTS if not endpoint.public]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("endpoint", ASKED, ids=lambda one: f"{one.method} {one.path}")
def test_a_cell(world: World, endpoint: Endpoint, role: Role) -> None:
    assert endpoint.permission is not None, "a route without a permission is open to everybody"
    named = next((name for name in HIDDEN if f"{{{name}}}" in endpoint.path), None)
    if str(endpoint.permission) not in MAY[role]:
        for tenant in (OWNER, OTHER):
            refused = world.ask(tenant, role, endpoint, world.kept)
            assert _told(refused, endpoint) == (403 if endpoint.method == "HEAD" else "not_permitted")
        return
    ids = world.owned() if named else world.kept
    foreign = world.ask(OTHER, role, endpoint, ids)  # first: it must not change anything
    if named and endpoint.permission is not Permission.OPERATE:
        assert _told(foreign, endpoint) == (404 if endpoint.method == "HEAD" else HIDDEN[named])
        assert foreign.status_code == 404
    else:  # about the asker's own tenant, or about all of them
        assert _told(foreign, endpoint) == ANSWERS.get((endpoint.method, endpoint.path), 200)
    if endpoint.path != "/v1/operator/tasks/{task_id}/requeue":  # it was requeued a moment ago
        assert _told(world.ask(OWNER, role, endpoint, ids), endpoint) == ANSWERS.get(
            (endpoint.method, endpoint.path), 200
        )
    if endpoint.path == "/v1/operator/maintenance":
        world.client.delete(endpoint.path, headers={"Authorization": f"Bearer {world.keys[OWNER, Role.OPERATOR]}"})


def _told(answer: httpx.Response, endpoint: Endpoint) -> int | str:
    """The code of a refusal that has one, else the status."""
    if answer.status_code >= 400 and endpoint.method != "HEAD":
        return str(answer.json()["code"])
    return answer.status_code


@pytest.mark.parametrize("role", [role for role in Role if "tasks.read" in MAY[role]])
def test_no_list_shows_what_is_another_tenants(world: World, role: Role) -> None:
    ids = world.owned()
    lists = [one for one in ASKED if one.method == "GET" and one.path.startswith("/v1/") and "{" not in one.path]
    for endpoint in lists:
        if str(endpoint.permission) in MAY[role]:
            told = world.ask(OTHER, role, endpoint, ids).text
            assert not [found for found in ids.values() if found in told], endpoint.path
    mine = world.ask(OWNER, role, next(one for one in lists if one.path == "/v1/tasks"), ids).text
    assert ids["task_id"] in mine


@pytest.mark.parametrize("endpoint", ASKED, ids=lambda one: f"{one.method} {one.path}")
def test_nobody_is_let_in_without_a_credential(world: World, endpoint: Endpoint) -> None:
    path = endpoint.path.replace("{", "").replace(":path}", "").replace("}", "")
    world.client.cookies.clear()
    answer = world.client.request(endpoint.method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="facefleet"'


def test_what_is_described_names_its_permission_and_the_answers_of_whoever_lacks_it(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.keys[OWNER, Role.VIEWER]}"}
    document = world.client.get("/openapi.json", headers=headers).json()
    table = {(one.method, one.path): one.permission for one in ENDPOINTS}
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["x-permission"] == table[method.upper(), path]
            assert operation["x-permission"], f"{method} {path} is open to everybody"
            assert {"401", "403"} <= set(operation["responses"])
            asked += 1
    assert asked > 35
    assert document["security"] == [{"bearer": []}, {"session": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["session"]["in"] == "cookie"


def test_the_roles_that_are_written_out_here_are_all_there_are() -> None:
    assert set(MAY) == set(Role)
    assert set().union(*MAY.values()) == set(Permission)
