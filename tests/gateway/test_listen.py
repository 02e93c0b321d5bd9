"""The gateway's socket, its event loop and its parser."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from contextlib import ExitStack
from threading import Thread

import httpx
import pytest
import uvloop
from fastapi import FastAPI
from tests.gateway.conftest import Door, Open, picture
from tests.servers import wait_until

from facefleet.errors.input import ConfigInvalid
from facefleet.gateway.http_protocol import MAX_HEAD_BYTES, HttpProtocol
from facefleet.gateway.server import Server, listen
from facefleet.gateway_settings import Gateway

DELAYED_ACK_SECONDS = 0.04  # the least that Linux waits before it acknowledges what it has nothing to answer to
LONGEST_READ = 1 << 20  # more than the event loop reads at once


def test_an_answer_on_a_kept_connection_waits_for_no_acknowledgement(door: Door) -> None:
    """Head and body are two writes; by Nagle's algorithm the second would wait until the first is acknowledged."""
    took = []
    for _ in range(30):
        began = time.perf_counter()
        assert door.client.get("/healthz").status_code == 200
        took.append(time.perf_counter() - began)
    # Were it so, all but the first few would wait; a loaded machine is slow at some of them only.
    assert statistics.quantiles(took, n=4)[0] < DELAYED_ACK_SECONDS / 2


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigInvalid, match="choose another port"):
        listen("127.0.0.1", other.getsockname()[1])


def test_the_server_runs_on_uvloop_and_parses_with_httptools() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    parsers: list[object] = []
    app = FastAPI()

    @app.get("/")
    async def look() -> None:
        loops.append(asyncio.get_running_loop())
        parsers.extend(server.server_state.connections)

    with listen("127.0.0.1", 0) as listener:
        server = Server(app, lambda: None, Gateway())
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), "the server starts")
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            assert httpx.get(url, trust_env=False).status_code == 200
        finally:
            server.should_exit = True
            thread.join()
    assert [type(loop) for loop in loops] == [uvloop.Loop]
    assert [type(parser) for parser in parsers] == [HttpProtocol]


def test_connections_are_kept_and_answer_one_request_after_the_other(door: Door) -> None:
    with connected(door) as client:
        for _ in range(3):
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):  # head and body may come apart
                answer += client.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")


def connected(door: Door) -> socket.socket:
    url = door.client.base_url
    return socket.create_connection((url.host, url.port or 80), timeout=10)


def sent_until_refused(client: socket.socket, piece: bytes) -> bytes:
    """Send a piece again and again, slowly enough that each is read by itself; the answer, or nothing."""
    client.settimeout(0.02)
    for _ in range(2 * LONGEST_READ // len(piece)):
        try:
            client.sendall(piece)
            return client.recv(65536)
        except TimeoutError:
            continue
    return b""


HEAD = b"POST /v1/fuse HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n1\r\nx\r\n0\r\n"


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (HEAD + b"X-Long: ", b"x" * 16_384),
        (HEAD, b"X-Many: x\r\n" * 1_000),
        (b"GET /", b"x" * 16_384),
        (CHUNKED + b"X-Trailer: ", b"x" * 16_384),
    ],
    ids=["one long header", "many headers", "a long path", "a long trailer"],
)
def test_a_head_that_does_not_end_is_refused_before_it_fills_the_memory(door: Door, begin: bytes, piece: bytes) -> None:
    with connected(door) as client:
        client.sendall(begin)
        assert b"HTTP/1.1 400 " in sent_until_refused(client, piece)


def test_a_long_head_that_ends_is_answered(door: Door) -> None:
    answer = door.client.get("/healthz", headers={"x-long": "x" * (MAX_HEAD_BYTES // 2)})
    assert answer.status_code == 200


@pytest.mark.parametrize("hosts", [b"", b"Host: localhost\r\nHost: localhost\r\n"], ids=["none", "two"])
def test_a_request_names_its_host_once(door: Door, hosts: bytes) -> None:
    with connected(door) as client:
        client.sendall(b"GET /v1/tasks HTTP/1.1\r\n" + hosts + b"\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


_SMUGGLED = b"GET /v1/usage HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nContent-Length: 0\r\n",
        b"Content-Length: 0, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length : 5\r\n",
        b"X: a\nTransfer-Encoding: chunked\r\n",
        b"X: a\rb\r\n",
    ],
)
def test_a_body_whose_length_two_readers_could_read_differently_is_refused(door: Door, headers: bytes) -> None:
    """Request smuggling: what one program takes for a body the next one would take for a request (RFC 9112, 11.2)."""
    with connected(door) as client:
        head = b"PUT /v1/operator/maintenance HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n"
        client.sendall(head + b"0\r\n\r\n" + _SMUGGLED)
        answer = answered(client)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert answer.count(b"HTTP/1.1 ") == 1, "nothing behind it is answered"


SLOW = 200
SLOW_SECONDS = 3.0  # a busy machine takes a second to connect them all


def answered(client: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    answer = b""
    while piece := client.recv(65536):
        answer += piece
    return answer


def hung_up(client: socket.socket) -> bool:
    """Whether the server hangs up on whoever sends on and on."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            client.sendall(b"x")
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_slow_heads_stop_nobody_else_and_are_hung_up_on(open_door: Open) -> None:
    door = open_door(gateway={"head_timeout": SLOW_SECONDS})
    with ExitStack() as stack:
        began, clients = time.monotonic(), []
        for _ in range(SLOW):
            clients.append(stack.enter_context(connected(door)))
            clients[-1].sendall(HEAD + b"X-Slow: ")  # at once: who says nothing at all is hung up on without an answer
        assert door.client.get("/healthz").status_code == 200
        while time.monotonic() - began < SLOW_SECONDS / 4:  # a byte now and then buys no time
            for client in clients:
                client.sendall(b"x")
            time.sleep(0.1)
        assert [answered(client)[:13] for client in clients] == [b"HTTP/1.1 408 "] * SLOW
    assert door.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /",
        b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
    ],
    ids=["nothing", "nothing more", "an empty line more", "half a request more", "half a body that was refused"],
)
def test_a_client_that_says_nothing_more_is_hung_up_on(open_door: Open, sent: bytes) -> None:
    limits = dict.fromkeys(("head_timeout", "keep_alive", "upload_timeout"), 0.3)
    with connected(open_door(gateway=limits)) as client:
        client.sendall(sent)
        began = time.monotonic()
        answer = answered(client)
        assert time.monotonic() - began < 5
        assert answer.startswith(b"HTTP/1.1 ") == bool(sent)


def test_a_refused_body_that_comes_byte_by_byte_is_hung_up_on(open_door: Open) -> None:
    with connected(open_door(gateway={"upload_timeout": 0.3})) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 404 ")
        assert hung_up(client)


def test_a_body_that_stays_away_is_told_within_its_time(open_door: Open) -> None:
    with connected(open_door(gateway={"upload_timeout": 0.3, "keep_alive": 0.3, "head_timeout": 60.0})) as client:
        client.sendall(HEAD + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\nx")
        assert b"upload_timeout" in answered(client)


def test_an_answer_may_take_longer_than_a_head(open_door: Open) -> None:
    door = open_door(gateway={"head_timeout": 0.2, "keep_alive": 0.2})
    task = door.submit(source=picture(), target=picture()).json()["task_id"]
    with connected(door) as client:
        client.sendall(f"GET /v1/tasks/{task} HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=1\r\n\r\n\r\n".encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
