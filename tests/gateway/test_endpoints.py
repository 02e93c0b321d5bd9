"""The table of endpoints and the routes of the application are the same, and every layer follows the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import httpx
import pytest
from starlette.routing import BaseRoute
from tests.gateway.conftest import Door

from facefleet.access.permissions import Permission
from facefleet.gateway.app import create
from facefleet.gateway.endpoints import ENDPOINTS, endpoint_of


def routed(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routed(included.routes)
        else:
            yield from ((method, route.path) for method in route.methods)  # type: ignore[attr-defined]


def test_every_route_is_in_the_table_and_every_row_has_a_route(door: Door) -> None:
    served = list(routed(create(door.settings, door.parts).routes))
    rows = [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]
    assert len(rows) == len(set(rows))
    assert len(served) > 40
    assert set(served) == set(rows)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_a_request_is_found_in_the_table(row: object) -> None:
    method, path = row.method, row.path  # type: ignore[attr-defined]
    asked = path.replace(":path", "").format(
        task_id="0",
        batch_id="0",
        template_id="0",
        delivery_id="0",
        upload_id="0",
        lane="bulk",
        scope="plan",
        key_id="0",
        digest="0",
        name="a.js",
    )
    assert endpoint_of({"type": "http", "method": method, "path": asked}) is row


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/fuse"), ("POST", "/v1/tasks/0"), ("GET", "/v1/tasks/0/"), ("GET", "/v1/tasks/a/b")],
)
def test_what_the_router_refuses_is_not_in_the_table(method: str, path: str) -> None:
    assert endpoint_of({"type": "http", "method": method, "path": path}) is None


def test_only_probes_and_files_of_the_package_are_public_and_every_permission_is_needed_somewhere() -> None:
    files = {"/", "/page/{digest}/{name:path}", "/docs/errors"}
    assert {endpoint.path for endpoint in ENDPOINTS if endpoint.public} == {"/healthz", "/readyz"} | files
    assert {endpoint.permission for endpoint in ENDPOINTS} - {None} == set(Permission)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/docs/errors"])
@pytest.mark.parametrize("headers", [{"host": "10.42.0.17:8080"}, {"host": "gateway.pods", "origin": "null"}])
def test_what_is_public_is_answered_by_whatever_name_it_comes(
    shared_door: Door, path: str, headers: dict[str, str]
) -> None:
    assert shared_door.client.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/v1/session", "/v1/tasks", "/nowhere"])
def test_nothing_else_is(shared_door: Door, path: str) -> None:
    answer: httpx.Response = shared_door.client.get(path, headers={"host": "10.42.0.17:8080"})
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
