"""Photos that the client sends to the store by itself, at a real S3 service, in a folder, and where neither is."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.client.scripted import Heard, Said, refusal, saying, task
from tests.gateway.conftest import Door, Open, picture
from tests.servers import SeaweedServer

from facefleet.client import AsyncClient, Client, FaceAssignment, Patience, Upload
from facefleet.client.uploads import facts_of
from facefleet.errors.client import ServerUnreachable, WaitTimeout
from facefleet.errors.input import ImageTooLargeBytes, ImageTypeUnsupported, OptionInvalid
from facefleet.errors.lookup import UploadNotFound
from facefleet.media.sniff import sniff

pytestmark = pytest.mark.needs_server


@dataclass
class Seen:
    """What a client sends: method, host and path, and how many bytes."""

    sent: list[tuple[str, str, int]] = field(default_factory=list)
    authorized: list[str] = field(default_factory=list)

    def note(self, request: httpx.Request) -> None:
        length = int(request.headers.get("content-length", -1))
        self.sent.append((request.method, request.url.path, length))
        if "authorization" in request.headers:
            self.authorized.append(request.url.path)

    @property
    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.sent]


@contextmanager
def watched(door: Door, **more: Any) -> Iterator[tuple[Client, Seen]]:
    seen = Seen()
    with (
        httpx.Client(trust_env=False, verify=False, event_hooks={"request": [seen.note]}) as http,
        Client(str(door.client.base_url), "a-key", http=http, **more) as client,
    ):
        yield client, seen


@pytest.fixture
def direct(open_door: Open, seaweed: SeaweedServer) -> Door:
    """A gateway whose store takes photos itself."""
    objects = {name: value for name, value in seaweed.settings().model_dump().items() if value}
    return open_door(objects=objects | {"url": f"s3://{seaweed.BUCKET}/{uuid4().hex}"})


@pytest.mark.parametrize("form", ["bytes", "path", "file"])
def test_a_large_photo_goes_to_the_store_and_the_gateway_sees_none_of_it(
    direct: Door, photo: bytes, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo)
    with watched(direct, upload_from=len(photo)) as (client, seen):
        given: Any = {"bytes": photo, "path": path, "file": io.BytesIO(photo)}[form]
        made = client.fuse(given, photo, consent=True, idempotency_key="order-17", strength=0.5)
        assert [path.partition("/tenants/")[0].rpartition("/")[0] for path in seen.paths if "PUT" in path] == [
            f"PUT /{SeaweedServer.BUCKET}"
        ] * 2  # fmt: skip
        at_gateway = [length for _, path, length in seen.sent if path.startswith("/v1/")]
        assert len(at_gateway) == 3
        assert max(at_gateway) < 400
        assert set(seen.authorized) == {"/v1/uploads", "/v1/fuse"}, "the store hears no credentials of the gateway"
    with watched(direct, upload_from=None) as (client, seen):
        again = client.fuse(photo, photo, consent=True, idempotency_key="order-17", strength=0.5)
        assert (again.id, seen.paths) == (made.id, ["POST /v1/fuse"]), "the same request as a form"
    kept = direct.records.get("local", made.id)
    assert {direct.parts.store.get(key) for key in kept.inputs.values()} == {photo}


def test_a_small_photo_goes_with_the_request_beside_a_large_one(direct: Door, photo: bytes) -> None:
    small = picture(64, 64)
    assert len(small) < len(photo)
    with watched(direct, upload_from=len(photo)) as (client, seen):
        made = client.fuse(small, photo, consent=True)
        assert [path.split("/")[0] for path in seen.paths] == ["POST ", "PUT ", "POST "]
    kept = direct.records.get("local", made.id)
    assert direct.parts.store.get(kept.inputs["source"]) == small
    assert direct.parts.store.get(kept.inputs["target"]) == photo
    assert set(kept.digests) == {"target"}


def test_on_a_folder_a_form_is_sent_and_nothing_is_announced_twice(door: Door, photo: bytes) -> None:
    with watched(door, upload_from=0) as (client, seen):
        for _ in range(2):
            assert client.fuse(photo, photo, consent=True).status == "queued"
        assert seen.paths == ["POST /v1/uploads", "POST /v1/fuse", "POST /v1/fuse"]


@pytest.mark.parametrize("where", ["store", "folder"])
def test_one_upload_serves_many_requests(
    request: pytest.FixtureRequest, photo: bytes, tmp_path: Path, where: str
) -> None:
    door: Door = request.getfixturevalue("direct" if where == "store" else "door")
    (tmp_path / "photo.jpg").write_bytes(photo)
    with watched(door) as (client, seen):
        upload = client.upload(tmp_path / "photo.jpg")
        assert (upload.size, upload.direct, upload.expires_at is not None) == (len(photo), where == "store", True)
        assert "Signature" not in repr(upload)
        tasks = [client.fuse(upload, upload, consent=True, strength=strength) for strength in (0.5, 1.0)]
        tasks.append(client.fuse(upload, picture(), consent=True))
        assert len({made.id for made in tasks}) == 3
        assert sum(path.startswith("PUT") for path in seen.paths) == 1
        assert ("/v1/uploads" in "".join(seen.paths[1:2])) is (where == "folder")
    for made in tasks:
        assert door.parts.store.get(door.records.get("local", made.id).inputs["source"]) == photo


@pytest.mark.parametrize("where", ["store", "folder"])
def test_a_withdrawn_upload_is_gone_and_its_tasks_go_on(
    request: pytest.FixtureRequest, photo: bytes, where: str
) -> None:
    door: Door = request.getfixturevalue("direct" if where == "store" else "door")
    with watched(door) as (client, seen):
        upload = client.upload(photo)
        made = client.fuse(upload, upload, consent=True)
        client.withdraw(upload)
        client.withdraw(upload.id)
        assert seen.paths[-2:] == [f"DELETE /v1/uploads/{upload.id}"] * 2
        with pytest.raises(UploadNotFound):
            client.fuse(upload, photo, consent=True)
        for wrong in ("", None):
            with pytest.raises(OptionInvalid):
                client.withdraw(wrong)  # type: ignore[arg-type]
    assert door.parts.store.get(door.records.get("local", made.id).inputs["source"]) == photo
    assert not [key for key in door.kept() if "/uploads/" in key]


def test_several_sources_keep_their_order(door: Door, photo: bytes) -> None:
    with watched(door) as (client, _):
        second = client.upload(photo)
        made = client.fuse(
            picture(), photo, more_sources=[second, picture(seed=1)], consent=True,
            faces=[FaceAssignment(target_face=n, source=n) for n in range(3)],
        )  # fmt: skip
    kept = door.records.get("local", made.id)
    found = [door.parts.store.get(kept.inputs[role]) for role in sorted(kept.inputs)]
    assert found == [picture(), photo, picture(seed=1), photo]


def test_the_faces_of_an_upload_are_asked_for(door: Door, photo: bytes) -> None:
    with watched(door) as (client, seen):
        upload = client.upload(photo)
        with pytest.raises(WaitTimeout):
            client.faces(upload, timeout=0.2)
    assert "POST /v1/faces" in seen.paths


def test_the_client_for_asyncio_does_the_same(direct: Door, photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)

    async def run() -> None:
        async with (
            httpx.AsyncClient(trust_env=False, verify=False) as http,
            AsyncClient(str(direct.client.base_url), http=http, upload_from=1) as client,
        ):
            made = await client.fuse(tmp_path / "photo.jpg", await client.upload(photo), consent=True)
            kept = direct.records.get("local", made.id)
            assert set(kept.digests) == {"source", "target"}

    asyncio.run(run())


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_server_refuses_names_its_photo(open_door: Open, photo: bytes) -> None:
    door = open_door(images={"max_bytes": len(photo) - 1})
    with watched(door, upload_from=len(photo)) as (client, seen), pytest.raises(ImageTooLargeBytes) as caught:
        client.fuse(picture(64, 64), photo, consent=True)
    assert (caught.value.detail["field"], "POST /v1/fuse" in seen.paths) == ("target", False)


def test_what_is_no_photo_is_told_before_it_is_sent(door: Door, photo: bytes) -> None:
    with watched(door) as (client, seen):
        with pytest.raises(ImageTypeUnsupported):
            client.upload(b"no photo at all")
        for wrong in (None, 7, Upload(id="x", size=1)):
            with pytest.raises(OptionInvalid):
                client.upload(wrong)  # type: ignore[arg-type]
        upload = Upload(id="x", size=1)
        with pytest.raises(OptionInvalid):
            client.register(upload, consent=True)  # type: ignore[arg-type]
        with pytest.raises(OptionInvalid):
            client.batch(source=upload, target=photo, consent=True)  # type: ignore[arg-type]
        assert seen.paths == []
        with pytest.raises(UploadNotFound) as caught:
            client.fuse(photo, upload, consent=True)
        assert caught.value.detail["field"] == "target"
        with pytest.raises(ImageTypeUnsupported):
            client.fuse(b"no photo at all", photo, consent=True)
    for no_size in (-1, 1.5, "1", True):
        with pytest.raises(OptionInvalid, match="upload_from"):
            Client(upload_from=no_size)  # type: ignore[arg-type]


def scripted(store: Callable[[Heard], Said], *, status: int = 201) -> Callable[[Heard], Said]:
    """A server that is its own store."""

    def answer(heard: Heard) -> Said:
        if heard.path == "/v1/uploads":
            if status != 201:
                return refusal(status, "route_not_found")
            url = f"http://{heard.headers['host']}/store?signature=secret"
            return Said(201, {"upload_id": "u-1", "direct": True, "method": "PUT", "url": url, "headers": {"x-a": "b"}})
        return store(heard) if heard.method == "PUT" else Said(202, task("queued", 1))

    return answer


def test_a_store_that_is_away_for_a_moment_is_asked_again(photo: bytes) -> None:
    left = [Said(503, b"<busy/>"), Said(200, b"")]
    with saying(scripted(lambda _: left.pop(0))) as server, Client(server.url, "a-key", upload_from=1) as client:
        client.upload(photo)
    puts = [heard for heard in server.heard if heard.method == "PUT"]
    assert [heard.body for heard in puts] == [photo] * 2
    assert all(heard.headers["content-length"] == str(len(photo)) for heard in puts)
    assert all(heard.headers["x-a"] == "b" and "authorization" not in heard.headers for heard in puts)
    assert puts[0].path == "/store?signature=secret"
    assert [heard.path for heard in server.heard].count("/v1/uploads") == 1


def test_where_the_store_takes_nothing_a_form_is_sent(photo: bytes) -> None:
    with saying(scripted(lambda _: Said(403, b"<Error/>"))) as server, Client(server.url, upload_from=1) as client:
        for _ in range(2):
            client.fuse(photo, photo, consent=True)
        asked = [f"{heard.method} {heard.path.partition('?')[0]}" for heard in server.heard]
        assert asked == ["POST /v1/uploads", "PUT /store", "POST /v1/fuse", "POST /v1/fuse"]
        assert photo in server.heard[2].body
        with pytest.raises(ServerUnreachable, match="store did not take") as caught:
            client.upload(photo)
    assert "secret" not in str(caught.value) + json.dumps(caught.value.detail)


def test_a_server_of_an_earlier_release_gets_a_form(photo: bytes) -> None:
    with saying(scripted(lambda _: Said(), status=404)) as server, Client(server.url, upload_from=1) as client:
        client.fuse(photo, photo, consent=True)
    assert [heard.path for heard in server.heard] == ["/v1/uploads", "/v1/fuse"]


def test_a_server_that_is_away_is_no_reason_for_a_form(photo: bytes) -> None:
    patience = Patience(total=0.0)
    with Client("http://127.0.0.1:1", upload_from=1, patience=patience) as client, pytest.raises(ServerUnreachable):
        client.fuse(photo, photo, consent=True)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".avif"])
def test_the_type_is_told_as_the_server_tells_it(extension: str) -> None:
    data = picture(extension=extension)
    facts = facts_of(data)
    assert (facts.media_type, facts.size) == (sniff(data).type.value, len(data))
    assert facts == facts_of(io.BytesIO(data))
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
