"""What a refusal says of itself, and where its code is explained."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.gateway.conftest import Door, Open, picture

from facefleet.errors.base import FacefleetError
from facefleet.errors.tree import tree
from facefleet.storage.folder import FolderStore


def test_a_problem_names_its_occurrence_its_documentation_and_its_field(door: Door) -> None:
    answer = door.submit({"strength": 2, "colour": "red"}, source=picture(), target=picture())
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (422, "option_invalid", False)
    assert problem["type"] == "/docs/errors#option_invalid"
    assert problem["instance"].replace("-", "") == f"urn:uuid:{answer.headers['x-request-id']}"
    assert problem["field"] == problem["errors"][0]["field"]
    assert {one["field"] for one in problem["errors"]} == {"options.strength", "options.colour"}
    assert all(one["reason"] for one in problem["errors"])


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", "/v1/tasks?limit=0", None, "limit"),
        ("PUT", "/v1/operator/tasks/0/hold", {"hold": "no"}, "hold"),
        ("PUT", "/v1/operator/lanes/fast/pause", None, "lane"),
    ],
)
def test_the_field_is_named_as_the_caller_wrote_it(
    shared_door: Door, method: str, path: str, body: object, field: str
) -> None:
    problem = shared_door.client.request(method, path, json=body).json()
    assert (problem["code"], problem["field"]) == ("option_invalid", field)
    assert [one["field"] for one in problem["errors"]] == [field]


def test_a_body_that_is_no_json_is_named_as_the_body(door: Door) -> None:
    answer = door.client.put("/v1/operator/maintenance", content="{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["field"]) == (422, "body")


def test_every_method_of_an_address_is_named_where_another_is_refused(door: Door) -> None:
    answer = door.client.patch("/v1/tasks/0")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "DELETE"}


@pytest.mark.parametrize("path", ["/", "/v1/tasks", "/v1/fuse", "/metrics", "/nowhere"])
def test_nothing_is_traced_back_to_whoever_asks(shared_door: Door, path: str) -> None:
    answer = shared_door.client.request("TRACE", path, headers={"X-Secret": "hunter2"})
    assert answer.status_code in (404, 405)
    assert "hunter2" not in answer.text


def test_a_bug_is_told_without_the_inside_and_logged_with_it(
    open_door: Open, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the inside of the service")

    monkeypatch.setattr(FolderStore, "put", broken)
    door = open_door()
    with capture_logs() as lines:
        answer = door.submit(source=photo, target=photo)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert not re.search("inside|ZeroDivision|Traceback|\\.py", answer.text)
    (logged,) = [line for line in lines if line["event"] == "request.internal_error"]
    assert isinstance(logged["exc_info"], ZeroDivisionError)
    assert door.client.get("/v1/tasks").status_code == 200, "the gateway goes on"


def test_each_code_has_its_place_on_the_page_of_errors(door: Door) -> None:
    page = door.client.get("/docs/errors")
    assert page.headers["content-type"].startswith("text/html")
    ids = re.findall(r'<section id="([a-z_]+)">', page.text)
    assert ids == [cls.code for cls in tree() if "code" in vars(cls) and cls is not FacefleetError]
    assert len(ids) > 40


def test_the_page_of_errors_runs_and_loads_nothing(door: Door) -> None:
    page = door.client.get("/docs/errors")
    policy = page.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*)</style>", page.text)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert not re.search(r"<script|<link|<img|style=|src=", page.text)


def operations(door: Door) -> dict[str, Any]:
    paths = door.client.get("/openapi.json").json()["paths"]
    return {f"{method.upper()} {path}": what for path, found in paths.items() for method, what in found.items()}


def test_openapi_names_the_codes_of_every_status(door: Door) -> None:
    found = operations(door)
    assert len(found) >= 19
    for name, operation in found.items():
        for status, answer in operation["responses"].items():
            assert "X-Request-ID" in answer["headers"], (name, status)
            if int(status) >= 400:
                document = answer["content"]["application/problem+json"]
                codes = document["schema"]["allOf"][1]["properties"]["code"]["enum"]
                assert set(codes) == set(document["examples"]), (name, status)
                assert all(example["value"]["status"] == int(status) for example in document["examples"].values())
    fuse = found["POST /v1/fuse"]["responses"]
    assert {"Location", "Preference-Applied"} <= fuse["200"]["headers"].keys() & fuse["202"]["headers"].keys()
    assert "Retry-After" in fuse["503"]["headers"]
    busy = fuse["503"]["content"]["application/problem+json"]["examples"]
    assert {"maintenance", "overloaded", "store_unavailable"} <= busy.keys()


def test_openapi_names_the_headers_of_limits_where_they_are(door: Door) -> None:
    found = operations(door)
    for name, operation in found.items():
        for status, answer in operation["responses"].items():
            counted = operation["x-permission"] is not None and name != "GET /metrics" and status != "401"
            assert ({"RateLimit", "RateLimit-Policy"} <= answer["headers"].keys()) == counted, (name, status)
    limited = found["GET /v1/tasks"]["responses"]["429"]
    assert "Retry-After" in limited["headers"]


def test_openapi_has_no_shape_that_is_not_answered_with(door: Door) -> None:
    text = door.client.get("/openapi.json").text
    assert "HTTPValidationError" not in text
    assert "x-codes" not in text
