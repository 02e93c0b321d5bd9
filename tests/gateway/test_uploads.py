"""Photos that their client sends to the store by itself, on a real S3 service and in a folder."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gateway.conftest import Door, Open, Work, picture
from tests.servers import SeaweedServer, wait_until

from facefleet.clock import now
from facefleet.errors.input import ImageTypeUnsupported
from facefleet.media.sniff import HEAD_BYTES, sniff_type
from facefleet.storage.keys import upload_key
from facefleet.tasks.audit import Origin
from facefleet.tasks.ids import new_id
from facefleet.tasks.uploads import Upload, UploadRecords

JSON = {"content-type": "application/json"}
MISSING = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Rig:
    """A gateway, and whether its store takes photos itself."""

    door: Door
    direct: bool

    def announce(self, photo: bytes, **changes: Any) -> httpx.Response:
        said = {"size": len(photo), "type": type_of(photo), "sha256": hashlib.sha256(photo).hexdigest()}
        return self.door.client.post("/v1/uploads", json=said | changes)

    def send(self, announced: httpx.Response, photo: Any, **headers: str) -> httpx.Response:
        how = announced.json()
        if not self.direct:
            return self.door.client.put(how["url"], content=photo, headers=how["headers"] | headers)
        with httpx.Client(trust_env=False, verify=False) as anybody:
            return anybody.put(how["url"], content=photo, headers=how["headers"] | headers)

    def upload(self, photo: bytes, **changes: Any) -> str:
        """The id of a photo that has arrived."""
        announced = self.announce(photo, **changes)
        assert announced.status_code == 201, announced.text
        sent = self.send(announced, photo)
        assert sent.is_success, sent.text
        return str(announced.json()["upload_id"])

    def fuse(self, source: str, target: str, **more: Any) -> httpx.Response:
        body = {"consent": True, "source": {"upload": source}, "target": {"upload": target}} | more.pop("body", {})
        return self.door.client.post("/v1/fuse", content=json.dumps(body), headers=JSON | more)

    def overwrite(self, upload_id: str, data: bytes) -> None:
        """What somebody with access to the store could do."""
        self.door.parts.store.put(upload_key("local", upload_id), data)

    def inputs(self) -> list[str]:
        return [key for key in self.door.kept() if "/inputs/" in key]


def type_of(photo: bytes) -> str:
    try:
        return sniff_type(photo[:HEAD_BYTES]).value
    except ImageTypeUnsupported:
        return "image/jpeg"


OpenRig = Callable[..., Rig]


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.needs_server)])
def open_rig(request: pytest.FixtureRequest, open_door: Open) -> OpenRig:
    return rigs(request, open_door)


def rigs(request: pytest.FixtureRequest, open_door: Open) -> OpenRig:
    """Opens gateways on the kind of store that a parameter names."""

    def opening(**overrides: Any) -> Rig:
        if request.param == "folder":
            return Rig(open_door(**overrides), direct=False)
        server: SeaweedServer = request.getfixturevalue("seaweed")
        objects = {name: value for name, value in server.settings().model_dump().items() if value}
        objects |= {"url": f"s3://{server.BUCKET}/{uuid4().hex}"}
        return Rig(open_door(objects=objects, **overrides), direct=True)

    return opening


@pytest.fixture
def rig(open_rig: OpenRig) -> Rig:
    return open_rig()


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    return problem


# ── the way through ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_announcement_says_where_to_send_the_photo(rig: Rig, photo: bytes) -> None:
    answer = rig.announce(photo)
    how = answer.json()
    assert (answer.status_code, how["method"], how["direct"]) == (201, "PUT", rig.direct)
    assert how["headers"]["Content-Type"] == "image/jpeg"
    assert ("x-amz-checksum-sha256" in how["headers"]) is rig.direct
    assert how["url"].startswith("http" if rig.direct else f"/v1/uploads/{how['upload_id']}/content")


def test_uploads_are_fused_as_the_same_photos_in_a_form_would_be(rig: Rig, work: Work, woman: bytes) -> None:
    key = {"Idempotency-Key": "order-17"}
    answer = rig.fuse(rig.upload(woman), rig.upload(woman), **key)
    assert answer.status_code == 202, answer.text
    form = rig.door.client.post(
        "/v1/fuse", files={"source": woman, "target": woman}, data={"consent": "true"}, headers=key
    )
    assert form.json()["task_id"] == answer.json()["task_id"]
    task = rig.door.records.get("local", answer.json()["task_id"])
    assert task.bytes_in == 2 * len(woman)
    assert work(rig.door) == 1
    assert rig.door.records.get("local", task.id).state.value == "succeeded"


def test_an_upload_and_a_photo_in_the_request_go_together(rig: Rig, photo: bytes) -> None:
    data = {"data": base64.b64encode(photo).decode()}
    assert rig.fuse(rig.upload(photo), "", body={"target": data}).status_code == 202


def test_one_upload_serves_many_tasks_at_once(rig: Rig, photo: bytes) -> None:
    upload = rig.upload(photo)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: rig.fuse(upload, upload), range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len(rig.inputs()) == 12


@pytest.mark.parametrize("extension", [".png", ".webp", ".avif"])
def test_every_type_that_a_form_takes_can_be_uploaded(rig: Rig, extension: str) -> None:
    other = picture(extension=extension)
    upload = rig.upload(other)
    assert rig.fuse(upload, upload).status_code == 202


def test_a_header_far_from_the_start_is_found(rig: Rig) -> None:
    """Cameras put previews and colour profiles before the size."""
    plain = picture()
    comments = b"".join(b"\xff\xfe\xff\xff" + bytes(65_533) for _ in range(10))
    photo = plain[:2] + comments + plain[2:]
    upload = rig.upload(photo)
    assert rig.fuse(upload, upload).status_code == 202


# ── what is not what was announced ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wrong", ["longer", "shorter", "other bytes", "empty"])
def test_other_bytes_than_announced_are_refused_where_they_arrive(rig: Rig, photo: bytes, wrong: str) -> None:
    announced = rig.announce(photo)
    other = {"longer": photo + b"x", "shorter": photo[:-1], "other bytes": bytes(len(photo)), "empty": b""}[wrong]
    answer = rig.send(announced, other)
    assert 400 <= answer.status_code < 500, answer.text
    refused(rig.fuse(announced.json()["upload_id"], rig.upload(photo)), 409, "upload_incomplete")
    assert rig.inputs() == []


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "image/png"}, {"Content-Type": ""}, {"Content-Type": "application/octet-stream"}],
    ids=["another type", "none", "any"],
)
def test_other_headers_than_announced_are_refused_by_either_store(
    rig: Rig, photo: bytes, headers: dict[str, str]
) -> None:
    announced = rig.announce(photo)
    assert rig.send(announced, photo, **headers).status_code in (403, 422)
    upload = announced.json()["upload_id"]
    refused(rig.fuse(upload, upload), 409, "upload_incomplete")


def test_a_photo_that_does_not_say_its_size_is_refused_by_either_store(rig: Rig, photo: bytes) -> None:
    announced = rig.announce(photo)
    assert 400 <= rig.send(announced, iter([photo])).status_code < 500
    upload = announced.json()["upload_id"]
    refused(rig.fuse(upload, upload), 409, "upload_incomplete")


def test_another_type_than_announced_is_refused(rig: Rig) -> None:
    png = picture(extension=".png")
    announced = rig.announce(png, type="image/webp")
    if not rig.direct:
        refused(rig.send(announced, png), 422, "upload_mismatch")
        return
    assert rig.send(announced, png).is_success, "a store does not look inside"
    upload = announced.json()["upload_id"]
    problem = refused(rig.fuse(upload, upload), 422, "upload_mismatch")
    assert problem["field"] == "source"
    assert rig.inputs() == []


@pytest.mark.parametrize(
    ("photo", "status", "code"),
    [
        (b"hello, I am no photo", 415, "image_type_unsupported"),
        (picture(32, 32), 422, "image_too_small"),
        (picture(400, 400), 422, "image_too_large_pixels"),
        (picture()[:100], 422, "image_decode_failed"),
    ],
)
def test_what_a_form_would_refuse_is_refused_before_the_202(
    open_rig: OpenRig, photo: bytes, status: int, code: str
) -> None:
    rig = open_rig(images={"max_pixels": 100_000})
    announced, good = rig.announce(photo), rig.upload(picture())
    sent = rig.send(announced, photo)
    if rig.direct:
        sent = rig.fuse(good, announced.json()["upload_id"])
        assert sent.json()["field"] == "target"
    refused(sent, status, code)
    assert rig.inputs() == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"size": 20_000_001}, 413, "image_too_large_bytes"),
        ({"size": 0}, 422, "option_invalid"),
        ({"size": 1.5}, 422, "option_invalid"),
        ({"size": True}, 422, "option_invalid"),
        ({"type": "text/html"}, 422, "option_invalid"),
        ({"type": "image/jpeg\r\nx: y"}, 422, "option_invalid"),
        ({"sha256": "A" * 64}, 422, "option_invalid"),
        ({"sha256": "0" * 63}, 422, "option_invalid"),
        ({"key": "tenants/other/uploads/x"}, 422, "option_invalid"),
    ],
)
def test_an_announcement_that_is_none_is_refused(
    open_door: Open, photo: bytes, change: dict[str, Any], status: int, code: str
) -> None:
    refused(Rig(open_door(), direct=False).announce(photo, **change), status, code)


# ── what happens meanwhile ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_written_over_an_upload_after_the_202_changes_nothing(rig: Rig, work: Work, woman: bytes) -> None:
    upload = rig.upload(woman)
    task = rig.door.records.get("local", rig.fuse(upload, upload).json()["task_id"])
    rig.overwrite(upload, picture())
    assert rig.door.parts.store.get(task.inputs["source"]) == woman
    assert work(rig.door) == 1
    assert rig.door.records.get("local", task.id).state.value == "succeeded"


def test_what_is_written_over_it_before_fails_the_task_and_is_erased(rig: Rig, work: Work, photo: bytes) -> None:
    """Same size, same type, other bytes: only the digest tells, and only the worker reads them all."""
    upload, target = rig.upload(photo), rig.upload(photo)
    rig.overwrite(upload, photo[:-20] + bytes(20))
    task = rig.door.records.get("local", rig.fuse(upload, target).json()["task_id"])
    assert work(rig.door) == 1
    view = rig.door.client.get(f"/v1/tasks/{task.id}").json()
    assert (view["status"], view["error"]["code"], view["error"]["field"]) == ("failed", "upload_mismatch", "source")
    assert task.inputs["source"] not in rig.door.kept()


def test_an_upload_that_breaks_off_leaves_nothing_and_can_be_sent_again(rig: Rig, photo: bytes) -> None:
    announced = rig.announce(photo)

    def broken() -> Iterator[bytes]:
        yield photo[:100]
        raise ConnectionError

    with suppress(ConnectionError, httpx.TransportError):
        rig.send(announced, broken(), **{"Content-Length": str(len(photo))})
    upload = announced.json()["upload_id"]
    refused(rig.fuse(upload, upload), 409, "upload_incomplete")
    assert rig.send(announced, photo).is_success
    assert rig.send(announced, photo).is_success, "the answer may have been lost"
    assert rig.fuse(upload, upload).status_code == 202


def test_a_photo_that_has_not_come_is_named(rig: Rig, photo: bytes) -> None:
    waiting, good = rig.announce(photo).json()["upload_id"], rig.upload(photo)
    problem = refused(rig.fuse(good, waiting), 409, "upload_incomplete")
    assert problem["field"] == "target"
    body = {"source": {"upload": good}, "target": {"upload": good}}
    several = {"consent": True, "sources": [{"upload": good}, {"upload": waiting}], "target": body["target"]}
    several["options"] = {"faces": [{"source": n, "target_face": n} for n in (0, 1)]}
    answer = rig.door.client.post("/v1/fuse", content=json.dumps(several), headers=JSON)
    assert refused(answer, 409, "upload_incomplete")["context"]["number"] == 1
    assert rig.inputs() == []


# ── whose, and until when ────────────────────────────────────────────────────────────────────────────────────────────


def foreign(door: Door, photo: bytes, **changes: Any) -> Upload:
    made = Upload(
        id=new_id(), tenant="other", subject="eve", size=len(photo), media_type="image/jpeg",
        sha256=hashlib.sha256(photo).hexdigest(), created_at=now(), expires_at=now() + timedelta(hours=1),
    )  # fmt: skip
    made = replace(made, **changes)
    UploadRecords(door.parts.database, now).add(made, Origin("eve", made.tenant))
    door.parts.store.put(upload_key(made.tenant, made.id), photo)
    return made


@pytest.mark.parametrize("upload_id", ["", MISSING, "../../other/uploads/x", "\u0000", "é" * 300, "tenants/other"])
def test_what_is_no_upload_of_ours_is_not_found(door: Door, photo: bytes, upload_id: str) -> None:
    rig = Rig(door, direct=False)
    problem = refused(rig.fuse(rig.upload(photo), upload_id), 404, "upload_not_found")
    assert problem["field"] == "target"


def test_another_tenants_upload_is_as_one_that_is_not_there(door: Door, photo: bytes) -> None:
    rig, theirs = Rig(door, direct=False), foreign(door, photo)
    one = refused(rig.fuse(theirs.id, theirs.id), 404, "upload_not_found")
    none = refused(rig.fuse(MISSING, MISSING), 404, "upload_not_found")
    assert one["detail"].replace(theirs.id, "") == none["detail"].replace(MISSING, "")
    refused(door.client.put(f"/v1/uploads/{theirs.id}/content", content=photo), 404, "upload_not_found")


def test_a_request_repeated_after_its_uploads_are_over_finds_its_task_by_the_same_photos(
    door: Door, photo: bytes
) -> None:
    rig, key = Rig(door, direct=False), {"Idempotency-Key": "order-18"}
    upload = rig.upload(photo)
    first = rig.fuse(upload, upload, **key).json()["task_id"]
    over = foreign(door, photo, tenant="local", expires_at=now() - timedelta(seconds=1))
    refused(rig.fuse(over.id, over.id, **key), 404, "upload_not_found")
    again = rig.upload(photo)
    assert rig.fuse(again, again, **key).json()["task_id"] == first


def test_an_upload_whose_time_is_over_is_gone(door: Door, photo: bytes) -> None:
    rig = Rig(door, direct=False)
    mine = foreign(door, photo, tenant="local", expires_at=now() - timedelta(seconds=1))
    refused(rig.fuse(mine.id, mine.id), 404, "upload_not_found")
    refused(door.client.put(f"/v1/uploads/{mine.id}/content", content=photo), 404, "upload_not_found")


@pytest.mark.needs_server
def test_an_address_of_the_store_is_over_in_time(open_door: Open, seaweed: SeaweedServer, photo: bytes) -> None:
    objects = {name: value for name, value in seaweed.settings().model_dump().items() if value}
    door = open_door(objects=objects | {"url": f"s3://{seaweed.BUCKET}/{uuid4().hex}"}, retention={"uploads": 1.0})
    rig = Rig(door, direct=True)
    announced = rig.announce(photo)
    wait_until(lambda: rig.send(announced, photo).status_code == 403, "the address is over", 15)


_SAID = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers() | st.floats() | st.text(max_size=4) | st.none(),
        "type": st.sampled_from(["image/jpeg", "image/x", ""]) | st.text(max_size=8),
        "sha256": st.from_regex("[0-9a-f]{64}", fullmatch=True) | st.text(max_size=70),
        "x": st.none(),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=_SAID.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")) | st.binary(max_size=40))
def test_no_announcement_is_a_bug_of_ours(door: Door, said: bytes) -> None:
    answer = door.client.post("/v1/uploads", content=said, headers=JSON)
    assert answer.status_code < 500, (said, answer.text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), size=st.integers(1, 200), honest=st.booleans())
def test_no_upload_is_a_bug_of_ours(door: Door, data: bytes, size: int, honest: bool) -> None:
    rig = Rig(door, direct=False)
    announced = rig.announce(data, size=max(1, len(data)) if honest else size)
    assert rig.send(announced, data).status_code < 500
