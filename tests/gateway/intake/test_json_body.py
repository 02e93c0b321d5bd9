"""A JSON body is the same request as a form, and one that is not JSON is refused with what is wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gateway.conftest import Door, Open, Work, picture

JSON = {"content-type": "application/json"}


def b64(photo: bytes) -> dict[str, str]:
    return {"data": base64.b64encode(photo).decode()}


def send(door: Door, body: Any, path: str = "/v1/fuse", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return door.client.post(path, content=content, headers=JSON | headers)


def fusion(**changes: Any) -> dict[str, Any]:
    photos = {"source": b64(picture(seed=1)), "target": b64(picture(seed=2))}
    return {name: value for name, value in ({"consent": True} | photos | changes).items() if value is not ...}


def test_a_json_request_makes_the_task_that_its_form_makes(door: Door) -> None:
    answer = send(door, fusion(options={"strength": 0.5, "target_face": "all"}))
    assert answer.status_code == 202, answer.text
    task = door.records.get("local", answer.json()["task_id"])
    assert task.options == {"strength": 0.5, "shape": 0.5, "source_face": None, "target_face": "all"}
    assert task.consent.subject == "local"
    assert door.parts.store.get(task.inputs["source"]) == picture(seed=1)
    assert door.parts.store.get(task.inputs["target"]) == picture(seed=2)


def test_form_and_json_are_one_request_to_an_idempotency_key(door: Door) -> None:
    key = {"Idempotency-Key": "order-17"}
    form = door.client.post(
        "/v1/fuse", files={"source": picture(seed=1), "target": picture(seed=2)},
        data={"consent": "true", "options": '{"strength": 1.0}'}, headers=key,
    )  # fmt: skip
    again = send(door, fusion(), **key)
    assert again.json()["task_id"] == form.json()["task_id"]
    assert send(door, fusion(options={"strength": 0.5}), **key).json()["code"] == "idempotency_conflict"


def test_several_sources_come_in_their_order(door: Door) -> None:
    sources = [picture(seed=number) for number in range(3)]
    faces = [{"source": number, "target_face": number} for number in range(3)]
    answer = send(door, fusion(source=..., sources=[b64(one) for one in sources], options={"faces": faces}))
    task = door.records.get("local", answer.json()["task_id"])
    assert [door.parts.store.get(task.inputs[role]) for role in ("source", "source-1", "source-2")] == sources


def test_a_json_search_for_faces_and_a_fusion_are_worked_on(door: Door, work: Work, woman: bytes) -> None:
    faces = send(door, {"image": b64(woman)}, "/v1/faces", Prefer="wait=0").json()
    fused = send(door, fusion(source=b64(woman), target=b64(woman))).json()
    assert work(door) == 2
    found = [door.client.get(f"/v1/tasks/{one['task_id']}").json() for one in (faces, fused)]
    assert [one["status"] for one in found] == ["succeeded"] * 2
    assert len(found[0]["output"]["faces"]) == 1


NOT_JSON: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no object", b"[]"),
    ("a number", b"1"),
    ("cut", b'{"consent": tr'),
    ("more behind it", b"{} {}"),
    ("a comma too many", b'{"consent": true,}'),
    ("not a number", b'{"options": {"strength": NaN}}'),
    ("infinity", b'{"options": {"strength": -Infinity}}'),
    ("a name twice", b'{"consent": false, "consent": true}'),
    ("a name twice inside", b'{"options": {"age": 0, "age": 1}}'),
    ("a name twice by an escape", b'{"consent": false, "con\\u0073ent": true}'),
    ("half a character", b'{"template_id": "\\ud800"}'),
    ("half a character in a name", b'{"\\udfff": 1}'),
    ("not UTF-8", b'{"template_id": "\xff"}'),
    ("UTF-16", '{"consent": true}'.encode("utf-16")),
    ("a byte order mark", b"\xef\xbb\xbf{}"),
    ("nested", b"[" * 15_000 + b"]" * 15_000),
    ("nested objects", b'{"a":' * 9_000 + b"1" + b"}" * 9_000),
    ("a list of very many", b'{"options": [' + b"[]," * 21_000 + b"[]]}"),
    ("a huge number", b'{"options": {"age": ' + b"9" * 5_000 + b"}}"),
    ("an unknown field", b'{"mask": {"data": ""}}'),
    ("null is no consent", b'{"consent": null}'),
    ("null is no photo", b'{"target": null}'),
    ("null is no list", b'{"webhook_events": null}'),
    ("consent as a text", b'{"consent": "true"}'),
    ("consent as a number", b'{"consent": 1}'),
    ("options as a text", b'{"options": "{}"}'),
    ("options as a list", b'{"options": []}'),
    ("options that are long", b'{"options": {"age": "' + b"a" * 17_000 + b'"}}'),
    ("a template as a number", b'{"template_id": 7}'),
    ("events as a text", b'{"webhook_events": "failed"}'),
    ("a photo as a text", b'{"source": "aGVsbG8="}'),
    ("a photo as null in a list", b'{"sources": [null]}'),
    ("no members", b'{"source": {}}'),
    ("two members", b'{"source": {"data": "", "more": ""}}'),
    ("an unknown member", b'{"source": {"path": "/etc/passwd"}}'),
    ("data as bytes", b'{"source": {"data": [1, 2]}}'),
    ("no base64", b'{"source": {"data": "aGVsbG8"}}'),
    ("base64 of addresses", b'{"source": {"data": "-_8="}}'),
    ("base64 with line ends", b'{"source": {"data": "aGVs\\nbG8="}}'),
    ("base64 in other digits", '{"source": {"data": "ａＧＶｓ"}}'.encode()),
    ("no list of sources", b'{"sources": {"data": ""}}'),
    ("an empty list of sources", b'{"sources": []}'),
    ("seven sources", b'{"sources": [{}, {}, {}, {}, {}, {}, {}]}'),
    ("one and several sources", b'{"source": {"data": ""}, "sources": [{"data": ""}]}'),
    ("several targets", b'{"targets": [{"data": ""}]}'),
]


@pytest.mark.parametrize("body", [row[1] for row in NOT_JSON], ids=[row[0] for row in NOT_JSON])
def test_what_is_no_request_is_refused(shared_door: Door, body: bytes) -> None:
    answer = send(shared_door, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid"), answer.text
    assert shared_door.kept() == []


REFUSED: list[tuple[str, dict[str, Any], int, str, str | None]] = [
    ("no consent", {"consent": ...}, 422, "consent_required", "consent"),
    ("consent denied", {"consent": False}, 422, "consent_required", "consent"),
    ("an option out of range", {"options": {"strength": 1.5}}, 422, "option_invalid", "options.strength"),
    ("an unknown option", {"options": {"\u0000é": 1}}, 422, "option_invalid", "options.\u0000é"),
    ("no source", {"source": ...}, 422, "upload_missing", "source"),
    ("an empty source", {"source": {"data": ""}}, 422, "upload_missing", "source"),
    ("no target", {"target": ...}, 422, "upload_missing", "target"),
    ("no photo", {"target": b64(b"hello, I am no photo")}, 415, "image_type_unsupported", "target"),
    ("a tiny photo", {"target": b64(picture(32, 32))}, 422, "image_too_small", "target"),
    ("a cut photo", {"source": b64(picture()[:100])}, 422, "image_decode_failed", "source"),
    ("an unknown template", {"target": ..., "template_id": "é"}, 404, "template_not_found", "template_id"),
    ("events without a webhook", {"webhook_events": ["failed"]}, 422, "option_invalid", "webhook_events"),
    ("no event", {"webhook_url": "https://x", "webhook_events": ["x"]}, 422, "option_invalid", "webhook_events"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "status", "code", "field"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_request_is_refused_as_its_form_would_be(
    shared_door: Door, change: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    answer = send(shared_door, fusion(**change))
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (status, code, field), answer.text
    assert shared_door.kept() == []


def test_a_bad_source_of_several_is_named_by_its_number(door: Door) -> None:
    problem = send(door, fusion(source=..., sources=[b64(picture()), b64(b"GIF89a" + bytes(100))])).json()
    assert (problem["code"], problem["field"]) == ("image_type_unsupported", "source")
    assert problem["context"]["number"] == 1


def test_a_photo_over_the_limit_is_refused_before_it_is_decoded(open_door: Open) -> None:
    door = open_door(images={"max_bytes": 20_000})
    answer = send(door, fusion(target={"data": "A" * 40_000}))
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large_bytes")
    assert answer.json()["field"] == "target"


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_its_limit_is_refused_announced_or_not(open_door: Open, announced: bool) -> None:
    door = open_door(gateway={"json_bytes": 100_000})
    body = json.dumps(fusion(options={"x": "y" * 120_000})).encode()
    answer = door.client.post("/v1/fuse", content=body if announced else iter([body]), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert answer.json()["context"]["max_bytes"] == 100_000
    fits = door.client.post("/v1/fuse", content=iter([json.dumps(fusion()).encode()]), headers=JSON)
    assert fits.status_code == 202


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_the_type_may_be_written_as_it_is_often(door: Door, kind: str) -> None:
    answer = door.client.post("/v1/fuse", content=json.dumps(fusion()), headers={"content-type": kind})
    assert answer.status_code == 202


def test_a_template_is_still_sent_as_a_form(door: Door) -> None:
    answer = send(door, {"consent": True, "image": b64(picture())}, "/v1/templates")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


_SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
_NAMES = st.sampled_from([
    "source", "sources", "target", "consent", "options", "template_id", "webhook_url", "webhook_events", "x",
])  # fmt: skip
_PHOTOS = st.fixed_dictionaries({}, optional=dict.fromkeys(("data", "upload", "url"), _VALUES))
_BODIES = st.binary(max_size=64) | st.dictionaries(_NAMES, _PHOTOS | st.lists(_PHOTOS, max_size=2) | _VALUES).map(
    lambda value: json.dumps(value).encode("utf-8", "surrogatepass")
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_BODIES, path=st.sampled_from(["/v1/fuse", "/v1/faces"]))
def test_no_body_is_a_bug_of_ours(door: Door, body: bytes, path: str) -> None:
    answer = send(door, body, path, Prefer="wait=0")
    assert answer.status_code < 500, (body, answer.text)
