"""Bodies that are slow, endless or too many at once: each is answered, and holds up nobody else."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from tests.gateway.conftest import Door, Open
from tests.servers import wait_until

FORM = "multipart/form-data; boundary=b"


@contextmanager
def unfinished(door: Door, announced: int, sent: bytes = b"--b", *, awaited: bool = False) -> Iterator[socket.socket]:
    """A request whose body has begun and does not go on; where ``awaited``, the server has begun to read it."""
    url = door.client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=10) as client:
        expect = "Expect: 100-continue\r\n" if awaited else ""
        head = (
            f"POST /v1/fuse HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {announced}\r\n{expect}\r\n"
        )
        client.sendall(head.encode())
        if awaited:
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(sent)
        yield client


def answer(client: socket.socket) -> tuple[int, dict[str, str], dict[str, object]]:
    """Status, headers and problem of what comes back until the server hangs up."""
    data = b""
    while chunk := client.recv(65536):
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, json.loads(body)


def test_a_body_that_does_not_go_on_is_refused_and_the_connection_closed(open_door: Open) -> None:
    door = open_door(gateway={"upload_timeout": 0.3})
    with unfinished(door, announced=1000) as client:
        status, headers, problem = answer(client)
    assert (status, problem["code"], problem["retryable"]) == (408, "upload_timeout", True)
    assert problem["context"] == {"seconds": 0.3, "bytes": 3}
    assert headers["retry-after"] == "1"
    assert door.kept() == []


def test_a_body_that_drips_is_refused_too(open_door: Open) -> None:
    """The limit is on the whole body: a byte now and then does not renew it."""
    door = open_door(gateway={"upload_timeout": 0.5})
    with unfinished(door, announced=100_000) as client:
        client.settimeout(0.05)
        heard = b""
        for _ in range(100):
            client.sendall(b"-")
            try:
                heard = client.recv(65536)
                break
            except TimeoutError:
                continue
    assert heard.startswith(b"HTTP/1.1 408 ")


def test_an_answer_may_take_longer_than_an_upload(open_door: Open, photo: bytes) -> None:
    """A client that waits for what it asked is not one that does not send."""
    door = open_door(gateway={"upload_timeout": 2.0})
    task = door.submit(source=photo, target=photo).json()
    for seconds in (0, 0, 3):
        answer = door.client.get(task["links"]["self"], headers={"Prefer": f"wait={seconds}"})
        assert (answer.status_code, answer.json()["status"]) == (200, "queued")


def test_no_more_bodies_are_held_than_there_is_room_for(open_door: Open, photo: bytes) -> None:
    door = open_door(gateway={"upload_bytes": 1_000_000})
    with unfinished(door, announced=999_999, awaited=True):
        wait_until(lambda: door.submit(source=photo, target=photo).status_code == 503, "the room is taken")
        refused = door.submit(source=photo, target=photo)
        assert (refused.json()["code"], refused.headers["retry-after"]) == ("overloaded", "1")
        assert refused.json()["context"]["taken_bytes"] == 999_999
        assert door.client.get("/healthz").status_code == 200, "what has no body needs no room"
    wait_until(lambda: door.submit(source=photo, target=photo).status_code == 202, "the room is free again")
    assert len(door.kept()) == 2, "of what was refused nothing is kept"


def test_a_body_of_no_announced_length_takes_the_room_of_the_longest(open_door: Open, photo: bytes) -> None:
    door = open_door(gateway={"upload_bytes": 50_000_000})  # room for one of up to 40 MB
    with unfinished(door, announced=15_000_000, awaited=True):
        form = httpx.Request("POST", "http://t", files={"source": photo, "target": photo}, data={"consent": "true"})
        form.read()
        headers = {"content-type": form.headers["content-type"]}

        def chunked() -> int:
            return door.client.post("/v1/fuse", content=iter([form.content]), headers=headers).status_code

        wait_until(lambda: chunked() == 503, "the room is taken")
    wait_until(lambda: chunked() == 202, "the room is free again")


def test_one_alone_is_let_in_whatever_the_room(open_door: Open, photo: bytes) -> None:
    door = open_door(gateway={"upload_bytes": 1})
    assert door.submit(source=photo, target=photo).status_code == 202
