"""One attempt against real receivers that behave, misbehave, and point elsewhere."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.servers import HOST, Certificates, free_port
from tests.tasks.fakes import START, FakeClock
from tests.webhooks.receivers import Received, Receiver, Reply

from facefleet.outbound import connect
from facefleet.outbound.address import Policy
from facefleet.outbound.connect import Connector
from facefleet.outbound.resolve import Lookup, Resolver, system_lookup
from facefleet.webhooks import post
from facefleet.webhooks.post import Poster
from facefleet.webhooks.schedule import Answer

INTRANET = Policy(http=True, private=True)
METADATA = "http://169.254.169.254/latest/meta-data/"


def send(
    url: str, policy: Policy = INTRANET, lookup: Lookup = system_lookup, context: ssl.SSLContext | None = None
) -> Answer:
    async def attempt() -> Answer:
        poster = Poster(Connector(resolver, context or ssl.create_default_context()), FakeClock())
        return await poster.post(url, {"webhook-id": "one", "Content-Type": "application/json"}, b'{"a":1}')

    resolver = Resolver(policy, lookup)
    try:
        return asyncio.run(attempt())
    finally:
        resolver.close()


def always(*addresses: str) -> Lookup:
    return lambda *_: list(addresses)


def redirect(to: str, status: int = 307) -> Callable[[int, Received], Reply]:
    return lambda *_: Reply(status, {"Location": to})


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_any_2xx_is_a_delivery(status: int) -> None:
    with Receiver(lambda *_: Reply(status)) as receiver:
        assert send(receiver.url("/a//b?c=d%20e&f")) == Answer(status)
    (got,) = receiver.received
    assert (got.path, got.body, got.headers["webhook-id"]) == ("/a//b?c=d%20e&f", b'{"a":1}', "one")
    assert got.headers["Host"] == f"{HOST}:{receiver.port}"
    assert "Cookie" not in got.headers


@pytest.mark.parametrize("status", [301, 302, 303, 400, 401, 404, 410, 500, 503])
def test_everything_else_is_none(status: int) -> None:
    with Receiver(redirect("https://example.com/", status)) as receiver:
        answer = send(receiver.url())
    assert answer.status == status
    assert answer.error


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (format_datetime(START.replace(hour=10, minute=0), usegmt=True), 1800.0),
        (format_datetime(START.replace(hour=1), usegmt=True), 0.0),
        ("-7", None),
        ("soon", None),
        ("1e9", None),
        ("²", None),
    ],
)
def test_retry_after_is_read(header: str, seconds: float | None) -> None:
    with Receiver(lambda *_: Reply(503, {"Retry-After": header})) as receiver:
        assert send(receiver.url()).retry_after == seconds


def test_the_name_is_asked_for_once_and_the_connection_goes_to_that_answer() -> None:
    """DNS rebinding: a second question would get another answer."""
    asked = []

    def rebinding(name: str, port: int) -> list[str]:
        asked.append(name)
        return [HOST] if len(asked) == 1 else ["169.254.169.254"]

    with Receiver() as receiver:
        assert send(receiver.url(host="rebinding.example"), lookup=rebinding) == Answer(204)
    assert asked == ["rebinding.example"]
    assert receiver.received[0].headers["Host"] == f"rebinding.example:{receiver.port}"


def test_a_name_with_one_forbidden_address_gets_nothing_at_any() -> None:
    with Receiver() as receiver:
        answer = send(receiver.url(host="a.example"), lookup=always(HOST, "169.254.169.254"))
    assert answer.error == "address refused: link-local, where clouds keep their metadata"
    assert receiver.received == []


@pytest.mark.parametrize("host", [HOST, "localhost", "a.example", "[::1]"])
def test_without_leave_nothing_goes_to_this_machine(host: str) -> None:
    with Receiver() as receiver:
        answer = send(receiver.url(host=host), Policy(http=True), lookup=always(HOST))
    assert answer == Answer(error="address refused: loopback")
    assert receiver.received == []


def test_the_next_address_is_tried_when_one_accepts_no_connection() -> None:
    with Receiver() as receiver:
        assert send(receiver.url(host="a.example"), lookup=always("127.0.0.2", HOST)).status == 204


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_method_is_followed(status: int) -> None:
    with Receiver() as second, Receiver(redirect(second.url("/next"), status)) as first:
        assert send(first.url()) == Answer(204)
    assert [(got.path, got.body) for got in second.received] == [("/next", b'{"a":1}')]


def test_a_redirect_may_be_relative() -> None:
    with Receiver(lambda number, _: Reply(307, {"Location": "../b"}) if number == 0 else Reply()) as receiver:
        assert send(receiver.url("/x/a")) == Answer(204)
    assert [got.path for got in receiver.received] == ["/x/a", "/b"]


@pytest.mark.parametrize(
    "to",
    [
        METADATA, "http://[fe80::1]/", "http://[::ffff:a9fe:a9fe]/", "http://0/", "http://2852039166/", "//0xa9fea9fe/",
        "http://metadata.example/", "file:///etc/passwd", "http://a@127.0.0.1/", "http://127.0.0.1\\@example.com/",
        "http://exämple.com/", "http://[", "",
    ],
)  # fmt: skip
def test_every_redirect_is_judged_as_the_first_url_was(to: str) -> None:
    names = {"metadata.example": ["169.254.169.254"]}
    with Receiver(lambda *_: Reply(307, {"Location": to.encode().decode("latin-1")})) as receiver:
        answer = send(receiver.url(), lookup=lambda name, _: names[name])
    assert (answer.error or "").startswith("address refused: ") or answer.error == "too many redirects"
    assert len(receiver.received) == (4 if to == "" else 1)


def test_a_redirect_from_https_to_http_needs_leave(certificates: Certificates) -> None:
    with Receiver() as plain, Receiver(redirect(plain.url()), certificates) as first:
        answer = send(first.url(), Policy(private=True), context=trusting(certificates))
    assert answer.error == "address refused: it begins with https://"
    assert plain.received == []


def test_redirects_in_a_circle_end() -> None:
    with Receiver(redirect("/again")) as receiver:
        assert send(receiver.url()) == Answer(307, "too many redirects")
    assert len(receiver.received) == 1 + connect.MAX_REDIRECTS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.ca))


def test_over_tls_the_certificate_is_checked_for_the_name(certificates: Certificates) -> None:
    """The connection is made to a number, and the certificate has to be good for the name."""
    context = trusting(certificates)
    with Receiver(certificates=certificates) as receiver:
        assert send(receiver.url(host="localhost"), context=context, lookup=always(HOST)) == Answer(204)
        assert send(receiver.url(), context=context) == Answer(204)
        other = send(receiver.url(host="other.example"), context=context, lookup=always(HOST))
        stranger = send(receiver.url(host="localhost"), lookup=always(HOST))
    assert other == stranger == Answer(error="the certificate is not valid for the name")
    assert [got.headers["Host"] for got in receiver.received] == [
        f"localhost:{receiver.port}", f"{HOST}:{receiver.port}",
    ]  # fmt: skip


def test_the_server_is_told_the_name_before_it_shows_a_certificate(certificates: Certificates) -> None:
    told: list[str | None] = []
    with Receiver(certificates=certificates) as receiver:
        socket = receiver._server.socket
        assert isinstance(socket, ssl.SSLSocket)
        socket.context.sni_callback = lambda _socket, name, _context: told.append(name)
        send(receiver.url(host="localhost"), context=trusting(certificates), lookup=always(HOST))
    assert told == ["localhost"]


@contextmanager
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(post, "TOTAL_SECONDS", 0.3)
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5


def test_a_receiver_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> Reply:
        time.sleep(1.0)
        return Reply()

    with Receiver(slow) as receiver, hurried(monkeypatch):
        assert send(receiver.url()) == Answer(error="no answer in time")


def test_a_head_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte in time, and the whole never: only a bound on the sum ends it."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(30):
            handler.wfile.write(b"HTTP/1.1 1")
            handler.wfile.flush()
            time.sleep(0.05)

    def answer(*_: object) -> Reply:
        return Reply(100, write=drip)

    with Receiver(answer) as receiver, hurried(monkeypatch):
        assert send(receiver.url()).error in ("no answer in time", "the answer is not HTTP")


def test_of_the_answer_only_the_head_is_read() -> None:
    sent = 0

    def flood(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        for _ in range(2_000):
            sent += handler.wfile.write(b"x" * 100_000)

    with Receiver(lambda *_: Reply(200, {"Content-Length": "200000000"}, flood)) as receiver:
        assert send(receiver.url()) == Answer(200)
    assert sent < 50_000_000


def test_what_is_no_http_and_what_is_nothing_are_told_apart() -> None:
    class Loud(Receiver):
        def _take(self, handler: BaseHTTPRequestHandler, request: Received) -> None:
            handler.wfile.write(b"220 mail.example ESMTP\r\n")

    with Loud() as receiver:
        assert send(receiver.url()).error == "the answer is not HTTP"
    assert send(f"http://{HOST}:{free_port()}/").error == "no connection"


@pytest.mark.parametrize("answer", [lambda *_: [], lambda *_: system_lookup("nowhere.invalid", 443)])
def test_a_name_without_an_address_is_said_so(answer: Lookup) -> None:
    assert send("https://nowhere.invalid/", lookup=answer).error == "the name has no address"


def test_a_resolver_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 0.1)

    def slow(*_: object) -> list[str]:
        time.sleep(0.5)
        return [HOST]

    assert send("https://slow.example/", lookup=slow).error == "the name has no address"


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It would resolve the name itself, and reach what we refuse."""
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        assert send(receiver.url()) == Answer(204)
    assert (len(proxy.received), len(receiver.received)) == (0, 1)
