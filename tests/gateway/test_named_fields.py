"""Every refusal that is about one field, header or parameter names it; what is about a body as a whole names none."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from tests.gateway.conftest import Door, Open, picture

PHOTO = picture()
DATA = {"data": base64.b64encode(PHOTO).decode()}
TWO = ["00000000-0000-7000-8000-000000000000"] * 2
JSON = {"content-type": "application/json"}
BOTH = {"source": PHOTO, "target": PHOTO}
YES = {"consent": "true"}
FORM = {"content-type": "multipart/form-data; boundary=b"}
UPLOAD = {"size": len(PHOTO), "type": "image/jpeg", "sha256": hashlib.sha256(PHOTO).hexdigest()}


def form(path: str = "/v1/fuse", **data: Any) -> tuple[str, str, dict[str, Any]]:
    return "POST", path, {"files": {"image": PHOTO} if path == "/v1/templates" else BOTH, "data": YES | data}


def body(path: str = "/v1/fuse", /, **members: Any) -> tuple[str, str, dict[str, Any]]:
    whole = {"consent": True, "source": DATA, "target": DATA} | members
    return "POST", path, {"content": json.dumps(whole), "headers": JSON}


def raw(content: str | bytes, headers: dict[str, str] = JSON) -> tuple[str, str, dict[str, Any]]:
    return "POST", "/v1/fuse", {"content": content, "headers": headers}


def options(**chosen: Any) -> tuple[str, str, dict[str, Any]]:
    return form(options=json.dumps(chosen))


def put(path: str, **members: Any) -> tuple[str, str, dict[str, Any]]:
    return "PUT", f"/v1/operator/{path}", {"json": members}


def part(name: str, content: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + content + b"\r\n"


NAMED: list[tuple[str, tuple[str, str, dict[str, Any]]]] = [
    # choices that contradict each other or the photos
    ("options.faces", options(faces=[{"target_face": 0}], target_face=0)),
    ("options.faces", options(faces=[{"target_face": 0}, {"target_face": 0}])),
    ("options.faces", options(faces=[{"target_face": 0, "source": 1}])),
    ("options.faces", body(options={"faces": [{"target_face": 0, "source": 3}]})),
    ("options.strength", options(strength=2)),
    ("options", form(options="{")),
    ("target", ("POST", "/v1/batches", {"files": [("source", PHOTO)] * 2 + [("target", PHOTO)] * 2, "data": YES})),
    ("template_id", ("POST", "/v1/batches", {"files": [("source", PHOTO)] * 2, "data": YES | {"template_id": TWO}})),
    ("template_id", form(template_id="x")),
    # fields of a form
    ("source", ("POST", "/v1/fuse", {"files": {"target": PHOTO}, "data": YES})),
    ("target", ("POST", "/v1/fuse", {"files": {"source": PHOTO}, "data": YES})),
    ("colour", form(colour="red")),
    ("consent", form(consent="perhaps")),
    ("consent_reference", form(consent_reference="a\tb")),
    ("guardian", form(guardian="perhaps")),
    ("webhook_events", form(webhook_events="[]")),
    ("webhook_url", form(webhook_url="ftp://a")),
    ("name", form("/v1/templates", name="n" * 300)),
    ("options", raw(part("options", b"\xff") + b"--b--\r\n", FORM)),
    ("options", raw(part("options", b"x" * 20_000) + b"--b--\r\n", FORM)),
    ("consent", raw(part("consent", b"true") * 2 + b"--b--\r\n", FORM)),
    ("target", ("POST", "/v1/fuse", {"files": {"source": PHOTO, "target": picture(32, 32)}, "data": YES})),
    # members of a JSON body
    ("colour", body(colour="red")),
    ("consent", body(consent="yes")),
    ("options", body(options=[])),
    ("source", body(source=7)),
    ("source", body(source={"data": 7})),
    ("source", body(source={"data": "%"})),
    ("target", body(target={"url": "\ud800"})),
    ("source", body(sources=[DATA])),
    ("template_id", body(template_id="\ud800", target=DATA)),
    ("consent_reference", body(consent_reference="x" * 20_000)),
    ("consent", raw('{"consent": true, "consent": false}')),
    ("target", body(target={"url": "http://127.0.0.1/"})),
    # headers
    ("content-type", raw(b"x", {"content-type": "text/plain"})),
    ("content-type", raw(b"x", {"content-type": "multipart/form-data; boundary=" + "b" * 300})),
    ("idempotency-key", ("POST", "/v1/fuse", {"files": BOTH, "data": YES, "headers": {"Idempotency-Key": "a b"}})),
    ("host", ("GET", "/v1/tasks", {"headers": {"Host": "example.com"}})),
    ("Last-Event-ID", ("GET", "/v1/tasks/0/events", {"headers": {"Last-Event-ID": "x"}})),
    # parameters, and other bodies
    ("cursor", ("GET", "/v1/tasks?cursor=x", {})),
    ("limit", ("GET", "/v1/audit?limit=0", {})),
    ("from", ("GET", "/v1/usage?from=2026-02-02&to=2026-01-01", {})),
    ("redirect", ("GET", "/v1/templates/0/image?redirect=x", {})),
    ("lane", put("lanes/fast/pause")),
    ("reason", put("maintenance", reason="x" * 501)),
    ("hold", put("tasks/0/hold", hold="no")),
    ("name", put("policies/plan/%20")),
    ("backlog", put("policies/plan/vip", backlog=0)),
    ("size", ("POST", "/v1/uploads", {"json": UPLOAD | {"size": 0}})),
    ("sha256", ("POST", "/v1/uploads", {"json": UPLOAD | {"sha256": "A"}})),
    ("size", ("POST", "/v1/uploads", {"json": UPLOAD | {"size": 1 << 40}})),
]  # fmt: skip
WHOLE = [raw(b"[]"), raw(b"{"), raw(b"\xff"), raw('{"a": NaN}'), raw(b"--b", FORM), raw(b"x--b--", FORM)]


@pytest.fixture(scope="module")
def asked(open_shared_door: Open) -> Door:
    secret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    return open_shared_door(webhooks={"secrets": secret}, remote_photos={"enabled": True})


def refusal(door: Door, request: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    method, path, more = request
    answer = door.client.request(method, path, **more)
    problem: dict[str, Any] = answer.json()
    assert answer.status_code in (400, 403, 413, 422), problem
    return problem


@pytest.mark.parametrize(("field", "request_"), NAMED, ids=[f"{n}-{one[0]}" for n, one in enumerate(NAMED)])
def test_a_refusal_names_its_field(asked: Door, field: str, request_: tuple[str, str, dict[str, Any]]) -> None:
    problem = refusal(asked, request_)
    assert problem["field"] == field, problem
    assert {one["field"] for one in problem["errors"]} <= {field}


@pytest.mark.parametrize("request_", WHOLE)
def test_what_is_wrong_as_a_whole_names_none(asked: Door, request_: tuple[str, str, dict[str, Any]]) -> None:
    assert refusal(asked, request_)["field"] is None


@pytest.mark.parametrize("header", ["content-type", "content-length"])
def test_an_upload_names_the_header_that_was_announced_otherwise(door: Door, header: str) -> None:
    url = door.client.post("/v1/uploads", json=UPLOAD).json()["url"]
    other = {"content-type": "image/png"} if header == "content-type" else {"content-type": "image/jpeg"}
    answer = door.client.put(url, content=PHOTO if header == "content-type" else PHOTO[:-1], headers=other)
    assert (answer.status_code, answer.json()["field"]) == (422, header)
