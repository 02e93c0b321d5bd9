"""Photos by URL: off until allowed, fetched through the guard of webhooks, with the checks of uploads."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from tests.gateway.conftest import Door, Open, picture
from tests.outbound.name_server import NameServer
from tests.servers import HOST, free_port
from tests.tasks.fakes import FakeClock
from tests.webhooks.receivers import Received, Receiver, Reply

from facefleet.errors.base import FacefleetError
from facefleet.gateway.intake import remote_photos
from facefleet.gateway.intake.fetch_slots import FetchSlots
from facefleet.gateway.intake.multipart import Form
from facefleet.gateway.intake.photos import Photo, PhotoUrl, Place
from facefleet.gateway.intake.remote_photos import Fetcher
from facefleet.gateway.memory import Holding, Memory
from facefleet.media.sniff import Limits
from facefleet.observability.metrics import Metrics
from facefleet.outbound.address import Policy, UrlRefused, read_url
from facefleet.outbound.connect import Connector
from facefleet.outbound.resolve import Resolver
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.webhooks.post import Poster

STRICT = Policy(http=True)
INTRANET = {"enabled": True, "allow_http": True, "allow_private": True, "ports": []}
SECRET = "what-only-the-network-of-the-service-may-read"
PHOTO = picture(seed=3)

# Every way that people have found to write an address which a service must not call.
HOSTILE = [
    # this machine
    "http://127.0.0.1/", "http://127.0.0.1:8080/", "http://127.1/", "http://2130706433/", "http://0x7f000001/",
    "http://0x7f.1/", "http://0177.0.0.1/", "http://017700000001/", "http://127.0.0.1./", "http://localhost/",
    "http://LOCALHOST./", "http://a.localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/", "http://0.0.0.0/", "http://0/", "http://[::]/",
    # where clouds keep their metadata
    "http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/",
    "http://169.254.43518/", "http://[::ffff:a9fe:a9fe]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[fd00:ec2::254]/",
    "http://[2002:a9fe:a9fe::]/", "http://[2001:0:a9fe:a9fe::1]/", "http://[fe80::a9fe:a9fe%25eth0]/",
    # private, shared, special
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/", "http://198.18.0.1/",
    "http://192.0.0.192/", "http://192.88.99.1/", "http://224.0.0.1/", "http://239.255.255.250:1900/",
    "http://255.255.255.255/", "http://240.0.0.1/", "http://[fc00::1]/", "http://[fe80::1]/", "http://[ff02::1]/",
    "http://[64:ff9b::10.0.0.1]/", "http://[64:ff9b:1::1]/", "http://[2002:a00:1::]/",
    # two readers of one text
    "http://example.com@127.0.0.1/", "http://127.0.0.1@example.com/", "http://user:word@example.com/",
    "http://example.com\\@127.0.0.1/", "http://example.com#@127.0.0.1/", "http://１２７.０.０.１/",
    "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://exämple.com/", "http://ⓛocalhost/", "http://exam\tple.com/",
    "http://example.com\r\nHost: a/", "http://[::1%25lo]/", "http://[127.0.0.1]/", "http://%31%32%37.0.0.1/",
    # other ways and doors
    "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "ftp://example.com/", "data:image/png;base64,AAAA",
    "//127.0.0.1/", "http:///", "", "http://example.com:0/", "http://example.com:99999/",
]  # fmt: skip


def reply(content: bytes = PHOTO, status: int = 200, **headers: str) -> Callable[[int, Received], Reply]:
    told = {"Content-Length": str(len(content))} | {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda *_: Reply(status, told, lambda handler: _write(handler, content))


def _write(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    try:
        handler.wfile.write(content)
    except OSError:  # the gateway has hung up
        return


def redirect(to: str, status: int = 302) -> Callable[[int, Received], Reply]:
    return lambda *_: Reply(status, {"Location": to})


def send(door: Door, url: Any, **changes: Any) -> httpx.Response:
    return door.client.post(
        "/v1/fuse", json={"consent": True, "source": {"url": url}, "target": {"url": url}} | changes
    )


def problem(answer: httpx.Response) -> tuple[Any, ...]:
    told = answer.json()
    return answer.status_code, told["code"], told["context"].get("field"), told["context"].get("reason")


def fetches(door: Door) -> list[tuple[str | None, str | None]]:
    """Object and code of every fetch in the audit log, the oldest first."""
    log = AuditLog(door.parts.database, FakeClock())
    return [(entry.object, entry.code) for entry in log.entries(AuditFilter(action=Action.PHOTO_FETCH))]


def test_it_is_off_until_an_operator_allows_it(door: Door) -> None:
    with Receiver(reply()) as server:
        answer = send(door, server.url())
    assert problem(answer) == (422, "photo_url_refused", "source", "not enabled")
    assert "operator" in answer.json()["detail"]
    assert "FACEFLEET" not in answer.text
    assert server.received == []
    assert door.kept() == []


@pytest.fixture
def near(open_door: Open) -> Door:
    """A gateway that fetches from this machine, too."""
    return open_door(remote_photos=INTRANET)


@pytest.fixture(scope="module")
def shared_near(open_shared_door: Open) -> Door:
    """The same, for tests in which nothing is accepted."""
    return open_shared_door(remote_photos=INTRANET)


def test_a_photo_by_url_makes_the_task_that_its_bytes_make(near: Door) -> None:
    with Receiver(reply()) as server:
        photos = {"source": {"url": server.url("/a.jpg?key=s3cret")}, "target": {"url": server.url("/b")}}
        key = {"Idempotency-Key": "order-9"}
        by_url = near.client.post("/v1/fuse", json={"consent": True} | photos, headers=key)
        assert by_url.status_code == 202, by_url.text
        task = near.records.get("local", by_url.json()["task_id"])
        assert [near.parts.store.get(task.inputs[role]) for role in ("source", "target")] == [PHOTO, PHOTO]
    files = {"source": PHOTO, "target": PHOTO}
    by_form = near.client.post("/v1/fuse", files=files, data={"consent": "true"}, headers=key)
    assert by_form.json()["task_id"] == task.id, "the digest is that of the bytes"
    assert [got.path for got in server.received] == ["/a.jpg?key=s3cret", "/b"]
    asked = {name.lower(): value for name, value in server.received[0].headers.items()}
    assert asked["accept-encoding"] == "identity"
    assert not asked.keys() & {"cookie", "authorization", "referer", "traceparent", "x-forwarded-for"}
    assert fetches(near) == [(HOST, None)] * 2
    assert 'facefusion_remote_photos_total{outcome="fetched"} 2.0' in near.client.get("/metrics").text


def test_faces_are_found_in_a_photo_by_url_and_several_sources_may_be_mixed(near: Door) -> None:
    with Receiver(reply()) as server:
        faces = near.client.post("/v1/faces", json={"image": {"url": server.url()}}, headers={"Prefer": "wait=0"})
        options = {"faces": [{"source": 0, "target_face": 0}, {"source": 1, "target_face": 1}]}
        sources = [{"url": server.url()}, {"url": server.url()}]
        body = {"consent": True, "sources": sources, "target": {"url": server.url()}, "options": options}
        several = near.client.post("/v1/fuse", json=body)
    assert (faces.status_code, several.status_code) == (202, 202)
    assert len(near.records.get("local", several.json()["task_id"]).inputs) == 3


def test_an_error_names_the_photo_and_never_what_came(near: Door) -> None:
    page = f"<html>{SECRET}</html>".encode() * 20
    with Receiver(lambda _, got: reply()(0, got) if got.path == "/photo" else reply(page)(0, got)) as server:
        answer = near.client.post(
            "/v1/fuse",
            json={"consent": True, "sources": [{"url": server.url("/photo")}, {"url": server.url("/page?token=abc")}],
                  "target": {"url": server.url("/photo")},
                  "options": {"faces": [{"source": number, "target_face": number} for number in (0, 1)]}},
        )  # fmt: skip
    told = answer.json()
    assert (answer.status_code, told["code"]) == (415, "image_type_unsupported")
    assert (told["context"]["field"], told["context"]["number"]) == ("source", 1)
    assert SECRET not in answer.text
    assert "abc" not in answer.text
    assert near.kept() == []
    assert fetches(near) == [(HOST, None), (HOST, "image_type_unsupported")]


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        (reply(b""), "image_type_unsupported", None),
        (reply(PHOTO[:40]), "image_decode_failed", None),
        (reply(SECRET.encode(), 404), "photo_not_fetched", "status 404"),
        (reply(SECRET.encode(), 401, WWW_Authenticate="Basic"), "photo_not_fetched", "status 401"),
        (reply(SECRET.encode(), 500), "photo_not_fetched", "status 500"),
        (reply(PHOTO, 206), "photo_not_fetched", "status 206"),
        (redirect("/again"), "photo_not_fetched", "too many redirects"),
        (redirect("file:///etc/passwd"), "photo_url_refused", None),
        (redirect("http://user@example.com/"), "photo_url_refused", None),
        (redirect("http://169.254.169.254/"), "photo_url_refused", "link-local, where clouds keep their metadata"),
        (redirect("http://["), "photo_url_refused", None),
        (reply(b"\x1f\x8b\x08" + b"\0" * 200, Content_Encoding="gzip"), "image_type_unsupported", None),
        (reply(b"\xff\xd8\xff", Content_Length="9999999999"), "image_too_large_bytes", None),
        (reply(b"\xff\xd8\xff", Content_Length="9" * 40), "photo_not_fetched", None),
        (reply(b"\xff\xd8\xff" + b"\0" * 300, Content_Length="1000"), "photo_not_fetched", "the answer is not HTTP"),
    ],
)
def test_what_is_no_photo_is_refused_with_a_reason(
    shared_near: Door, answer: Callable[[int, Received], Reply], code: str, reason: str | None
) -> None:
    with Receiver(answer) as server:
        got = send(shared_near, server.url())
    told = got.json()
    assert told["code"] == code, told
    assert told["context"]["field"] == "source"
    assert reason in (None, told["context"].get("reason"))
    assert SECRET not in got.text
    assert HOST not in got.text
    assert shared_near.kept() == []
    assert fetches(shared_near)[-1] == (HOST, code)


def test_a_flood_without_a_length_is_left_at_the_limit(open_door: Open) -> None:
    door, sent = open_door(remote_photos=INTRANET, images={"max_bytes": 100_000}), 0

    def flood(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.wfile.write(b"\xff\xd8\xff")
        for _ in range(1_000):
            sent += handler.wfile.write(b"x" * 100_000)

    with Receiver(lambda *_: Reply(200, {}, flood)) as server:
        answer = send(door, server.url())
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large_bytes")
    assert sent < 50_000_000


def test_what_is_no_photo_is_left_after_its_first_bytes(near: Door) -> None:
    sent = 0

    def flood(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        for _ in range(190):
            sent += handler.wfile.write(b"x" * 100_000)

    with Receiver(lambda *_: Reply(200, {}, flood)) as server:
        assert send(near, server.url()).json()["code"] == "image_type_unsupported"
    assert sent < 10_000_000


@contextmanager
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(remote_photos, "TOTAL_SECONDS", 0.4)
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5


def test_a_server_that_is_silent_or_drips_is_left(near: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        for byte in PHOTO[:40]:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def silent(*_: object) -> Reply:
        time.sleep(1.0)
        return Reply()

    with hurried(monkeypatch):
        for answer in (silent, lambda *_: Reply(200, {"Content-Length": "9000"}, drip)):
            with Receiver(answer) as server:
                assert problem(send(near, server.url()))[3] == "no answer in time"
        assert problem(send(near, f"http://{HOST}:{free_port()}/"))[3] == "no connection"
        assert problem(send(near, "http://nowhere.invalid/"))[1] == "photo_not_fetched"


def test_more_than_so_many_at_once_are_told_to_come_again(open_door: Open) -> None:
    door = open_door(remote_photos=INTRANET | {"concurrency": 1})
    second: list[httpx.Response] = []

    def ask_again(handler: BaseHTTPRequestHandler) -> None:
        second.append(send(door, server.url()))
        _write(handler, PHOTO)

    def answer(number: int, _: Received) -> Reply:
        return Reply(200, {"Content-Length": str(len(PHOTO))}, ask_again if number == 0 else lambda h: _write(h, PHOTO))

    with Receiver(answer) as server:
        assert send(door, server.url()).status_code == 202
    assert (second[0].status_code, second[0].json()["code"]) == (503, "overloaded")
    assert second[0].headers["retry-after"] == "1"


def test_a_photo_takes_room_among_all_uploads_until_the_answer(open_door: Open) -> None:
    door = open_door(remote_photos=INTRANET, gateway={"upload_bytes": 2 * len(PHOTO)})
    meanwhile: list[httpx.Response] = []

    def answer(number: int, got: Received) -> Reply:
        if number == 1:  # the first photo is held, and the second is about to be
            files = {"source": PHOTO + b"\0" * len(PHOTO), "target": PHOTO}
            meanwhile.append(door.client.post("/v1/fuse", files=files, data={"consent": "true"}))
        return reply()(number, got)

    with Receiver(answer) as server:
        assert send(door, server.url()).status_code == 202
        assert send(door, server.url()).status_code == 202, "the room was given back"
    assert meanwhile[0].json()["code"] == "overloaded"


@pytest.mark.parametrize(
    "photo", [{"url": 7}, {"url": None}, {"url": {}}, {"url": "http://a/", "data": ""}, {"url": "\ud800"}]
)
def test_what_is_no_url_at_all_is_no_request(shared_near: Door, photo: Any) -> None:
    body = json.dumps({"consent": True, "source": photo, "target": photo}).encode()
    answer = shared_near.client.post("/v1/fuse", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_nothing_is_fetched_for_a_body_that_is_refused(near: Door) -> None:
    with Receiver(reply()) as server:
        answer = send(near, server.url(), unknown=1)
    assert answer.json()["code"] == "request_invalid"
    assert server.received == []


def test_openapi_says_so(door: Door) -> None:
    described = door.client.get("/openapi.json").json()
    for path in ("/v1/fuse", "/v1/faces"):
        asked = described["paths"][path]["post"]
        assert "photo_not_fetched" in asked["responses"]["422"]["description"]
        assert '"url"' in json.dumps(asked["requestBody"]["content"]["application/json"])


# The suite of hostile addresses, against both that call URLs of clients. The connector is the real one, and so are
# servers and name server; nothing of it is replaced.


@pytest.fixture
def far(open_door: Open) -> Door:
    """A gateway that fetches from public servers only, by http, too."""
    return open_door(
        remote_photos={"enabled": True, "allow_http": True, "ports": []},
        webhooks={"allow_http": True, "ports": [], "secrets": "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    )


def test_no_hostile_address_is_called_for_a_photo_or_a_webhook(far: Door) -> None:
    codes = {}
    for url in HOSTILE:
        by_photo = send(far, url)
        by_hook = far.submit(source=PHOTO, target=PHOTO, texts={"webhook_url": url or "http://"})
        codes[url] = (by_photo.json().get("code"), by_hook.json().get("code"))
        assert "127.0.0.1" not in by_photo.text, "the address of a host is not told"
    assert {url: code for url, code in codes.items() if code != ("photo_url_refused", "webhook_url_refused")} == {}
    assert len(HOSTILE) >= 60
    assert far.kept() == []
    hosts = [host for host, code in fetches(far) if code == "photo_url_refused"]
    assert len(hosts) == len(HOSTILE)
    assert not any("@" in (host or "") or "/" in (host or "") for host in hosts), "the log has the host alone"


def fetch(url: str, lookup: Callable[[str, int], list[str]], log: AuditLog, policy: Policy = STRICT) -> Photo:
    async def one() -> Photo:
        metrics = Metrics(CollectorRegistry())
        connector = Connector(resolver, ssl.create_default_context())
        fetcher = Fetcher(connector, Limits(), metrics, log, FetchSlots(1))
        form = Form({"image": PhotoUrl(Place("image"), url)}, {})
        photo = (await fetcher.fetched(form, Origin("alice"), Holding(Memory(1 << 30)))).photos["image"]
        assert isinstance(photo, Photo)
        return photo

    resolver = Resolver(policy, lookup)
    try:
        return asyncio.run(one())
    finally:
        resolver.close()


def post(url: str, lookup: Callable[[str, int], list[str]], policy: Policy = STRICT) -> str:
    async def one() -> str:
        poster = Poster(Connector(resolver, ssl.create_default_context()), FakeClock())
        return (await poster.post(url, {}, b"{}")).error or "delivered"

    resolver = Resolver(policy, lookup)
    try:
        return asyncio.run(one())
    finally:
        resolver.close()


@pytest.fixture(scope="module")
def log(shared_door: Door) -> AuditLog:
    return AuditLog(shared_door.parts.database, FakeClock())


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["0.0.0.0"], ["100.64.0.1"], ["224.0.0.1"],
        ["255.255.255.255"], ["::1"], ["::ffff:127.0.0.1"], ["fd00:ec2::254"], ["64:ff9b::7f00:1"], ["2002:7f00:1::"],
        ["2001:0:7f00:1::"], ["fe80::1"], ["ff02::1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"],
    ],
)  # fmt: skip
def test_no_name_leads_to_a_hostile_address(addresses: list[str], log: AuditLog) -> None:
    """As of ``127.0.0.1.nip.io`` and its like: the name is harmless, the answer of its name server is not."""
    with Receiver(reply()) as server, NameServer(lambda _: addresses) as names:
        url = server.url(host="photos.example")
        with pytest.raises(FacefleetError) as caught:
            fetch(url, names.lookup, log)
        assert caught.value.code == "photo_url_refused"
        assert post(url, names.lookup).startswith("address refused: ")
    assert server.received == []
    assert names.asked == ["photos.example"] * 2
    assert not any(address in str(caught.value) + str(caught.value.detail) for address in addresses)


def test_a_name_is_asked_for_once_whatever_its_server_says_the_second_time(log: AuditLog) -> None:
    """DNS rebinding: the first answer passes, every later one would lead elsewhere, and none is asked for."""
    with Receiver(reply()) as server, NameServer(lambda number: [HOST if number == 0 else "127.0.0.2"]) as names:
        allowed = Policy(http=True, private=True)
        assert fetch(server.url(host="rebinding.example"), names.lookup, log, allowed).data == PHOTO
        assert names.asked == ["rebinding.example"]
    with Receiver(reply(b"")) as server, NameServer(lambda number: [HOST if number == 0 else "127.0.0.2"]) as names:
        assert post(server.url(host="rebinding.example"), names.lookup, allowed) == "delivered"
        assert names.asked == ["rebinding.example"]
    assert server.received[0].headers["Host"] == f"rebinding.example:{server.port}"


def test_a_redirect_to_the_same_name_is_judged_by_a_new_answer(log: AuditLog) -> None:
    with (
        Receiver(lambda *_: Reply(307, {"Location": "/next"})) as server,
        NameServer(lambda number: [HOST] if number == 0 else ["169.254.169.254"]) as names,
    ):
        with pytest.raises(FacefleetError) as caught:
            fetch(server.url(host="a.example"), names.lookup, log, Policy(http=True, private=True))
        assert caught.value.detail["reason"] == "link-local, where clouds keep their metadata"
    assert len(server.received) == 1


OPEN = Policy(http=True, private=True)


def refused_everywhere(url: str) -> bool:
    """Whether a URL is refused to those, too, who allow this machine: it alone can be the first server of a test."""
    try:
        read_url(url, OPEN)
    except UrlRefused:
        return url.isascii() and url.isprintable() and "://" in url and url != "http:///"  # that is relative
    return False


@pytest.mark.parametrize("to", [url for url in HOSTILE if refused_everywhere(url)])
def test_no_redirect_leads_to_a_hostile_address(to: str, log: AuditLog) -> None:
    with Receiver(redirect(to, 307)) as server:
        with pytest.raises(FacefleetError) as caught:
            fetch(server.url(), lambda *_: [HOST], log, OPEN)
        assert caught.value.code == "photo_url_refused"
        assert post(server.url(), lambda *_: [HOST], OPEN).startswith("address refused: ")
    assert len(server.received) == 2


def test_a_proxy_of_the_environment_is_not_used(near: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(reply()) as proxy, Receiver(reply()) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        assert send(near, server.url()).status_code == 202
    assert (len(proxy.received), len(server.received)) == (0, 2)


def test_a_file_of_authorities_that_is_none_stops_the_start(open_door: Open, tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    with pytest.raises(FacefleetError, match=r"remote_photos\.ca_file"):
        open_door(remote_photos={"enabled": True, "ca_file": broken})
