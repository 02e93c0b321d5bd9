"""What a client makes of answers: it tries again, gives up, or says what is wrong, and never shows its key."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from tests.client.scripted import Heard, Said, in_turn, refusal, saying, task

from facefleet.client import Client, Patience
from facefleet.errors.base import FacefleetError
from facefleet.errors.client import RefusedByServer, ServerUnreachable, WaitTimeout
from facefleet.errors.input import FaceNotFound, FileExists
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.outage import Overloaded
from facefleet.errors.task import TaskFailed

KEY = "key-that-nobody-may-see"
SHORT = Patience(total=2.0, first=0.3, shortest=0.01, longest=0.05)


def client(url: str, api_key: str | None = None) -> Client:
    return Client(url, api_key, patience=SHORT)


@pytest.mark.parametrize("passing", [408, 429, 502, 503, 504])
def test_what_is_passing_is_tried_again_with_the_same_key(passing: int) -> None:
    said = in_turn(Said(passing, b"<html>proxy</html>"), refusal(passing, "overloaded"), Said(202, task("queued", 1)))
    with saying(said) as server, client(server.url) as facefleet:
        assert facefleet.fuse(b"a", b"b", consent=True).status == "queued"
    assert len(server.heard) == 3
    assert len({heard.headers["idempotency-key"] for heard in server.heard}) == 1
    assert len({heard.body.split(b"\r\n")[1] for heard in server.heard}) == 1
    assert all(b'name="source"' in heard.body and b"consent" in heard.body for heard in server.heard)


def test_a_server_that_says_when_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    said = in_turn(refusal(503, "overloaded", Retry_After="1"), Said(202, task("queued", 1)))
    began = time.monotonic()
    with saying(said) as server, client(server.url) as facefleet:
        facefleet.fuse(b"a", b"b", consent=True)
    assert time.monotonic() - began >= 1.0


def test_a_refusal_that_lasts_is_told_when_patience_ends() -> None:
    said = in_turn(refusal(503, "overloaded", Retry_After="60"))
    with saying(said) as server, client(server.url) as facefleet, pytest.raises(Overloaded) as caught:
        facefleet.fuse(b"a", b"b", consent=True)
    assert caught.value.detail == {"limit": 7, "http_status": 503, "retry_after": 60.0}
    assert len(server.heard) == 1, "in 60 s nobody waits any more"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (refusal(404, "task_not_found", X_Request_ID="r-7"), TaskNotFound),
        (refusal(418, "teapot"), RefusedByServer),
        (Said(404, b"<html>nginx</html>"), ServerUnreachable),
        (Said(200, b"<html>welcome</html>"), ServerUnreachable),
        (Said(200, [1]), ServerUnreachable),
        (Said(200, {"hello": "world"}), ServerUnreachable),
        (Said(200, {"task_id": "t", "status": "queued", "created_at": "soon"}), ServerUnreachable),
        (Said(404, {"code": "task_not_found"}), ServerUnreachable),
        (Said(302, b"", {"location": "http://127.0.0.1:9/"}), ServerUnreachable),
    ],
)  # fmt: skip
def test_what_lasts_is_told_at_once_by_its_class(said: Said, error: type[FacefleetError]) -> None:
    with saying(in_turn(said)) as server, client(server.url) as facefleet, pytest.raises(error) as caught:
        facefleet.task("t-1")
    assert len(server.heard) == 1
    if error is TaskNotFound:
        assert caught.value.detail == {"limit": 7, "http_status": 404, "request_id": "r-7"}
    if error is RefusedByServer:
        assert caught.value.detail["code"] == "teapot"


def test_an_address_of_nobody_is_told_soon() -> None:
    began = time.monotonic()
    with client("http://127.0.0.1:1") as facefleet, pytest.raises(ServerUnreachable):
        facefleet.task("t-1")
    assert time.monotonic() - began < 2.0


def test_a_server_of_the_release_before_is_asked_now_and_then() -> None:
    """It has no events and knows no Prefer."""
    views = in_turn(*(Said(200, task("queued", 1)), Said(200, task("running", 2)), Said(200, task("succeeded", 3))))

    def answer(heard: Heard) -> Said:
        if heard.method == "POST":
            return Said(202, {"task_id": "t-1", "status": "queued", "links": {}})
        return refusal(404, "route_not_found") if heard.path.endswith("/events") else views(heard)

    seen = []
    with saying(answer) as server, client(server.url) as facefleet:
        done = facefleet.fuse(b"a", b"b", consent=True).wait(60, lambda view: seen.append(view.status))
    assert seen == ["queued", "running", "succeeded"]
    assert done.view.raw["from_later"] == [1]


def test_who_follows_a_task_and_asks_too_often_waits_and_goes_on() -> None:
    views = in_turn(refusal(429, "rate_limited", Retry_After="0"), Said(200, task("succeeded", 2)))

    def answer(heard: Heard) -> Said:
        if heard.method == "POST":
            return Said(202, {"task_id": "t-1", "status": "queued", "links": {}})
        return refusal(429, "rate_limited", Retry_After="0") if heard.path.endswith("/events") else views(heard)

    with saying(answer) as server, client(server.url) as facefleet:
        assert facefleet.fuse(b"a", b"b", consent=True).wait(60).view.status == "succeeded"


@pytest.mark.parametrize(("code", "error"), [("face_not_found", FaceNotFound), ("from_later", TaskFailed)])
def test_a_task_that_failed_is_an_error_of_its_class(code: str, error: type[FacefleetError]) -> None:
    failed = task("failed", 3, error={"code": code, "message": "No face.", "detail": {"role": "source"}, "new": 1})
    with saying(in_turn(Said(200, failed))) as server, client(server.url) as facefleet:
        with pytest.raises(error, match="No face") as caught:
            facefleet.task("t-1").wait()
        assert facefleet.task("t-1").view.error is not None
    assert caught.value.detail["role"] == "source"
    assert caught.value.detail["task_id"] == "t-1"


def test_a_gateway_that_hangs_does_not_keep_its_caller_longer_than_that_waits() -> None:
    def answer(heard: Heard) -> Said:
        if "prefer" in heard.headers:
            time.sleep(3.0)
        return Said(200, task("queued", 1))

    with saying(answer) as server, client(server.url) as facefleet:
        waiting = facefleet.task("t-1")
        began = time.monotonic()
        with pytest.raises((WaitTimeout, ServerUnreachable)):
            waiting.wait(1.0)
        assert time.monotonic() - began < 2.5


def test_pages_are_asked_for_as_they_are_needed() -> None:
    pages = [
        {"tasks": [task("queued", 1)] * 2, "next_cursor": "c 2"},
        {"tasks": [task("queued", 1)], "next_cursor": None},
    ]
    with saying(in_turn(*(Said(200, page) for page in pages))) as server, client(server.url) as facefleet:
        found = facefleet.tasks(state="queued")
        next(found)
        assert len(server.heard) == 1
        assert len(list(found)) == 2
    assert [heard.path for heard in server.heard] == [
        "/v1/tasks?state=queued&limit=100", "/v1/tasks?state=queued&limit=100&cursor=c+2"
    ]  # fmt: skip


def test_a_key_goes_to_the_server_and_never_to_a_store(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with saying(in_turn(Said(200, b"photo"))) as store:
        link = Said(307, b"", {"location": f"{store.url}/r?signature=s"})

        def answer(heard: Heard) -> Said:
            return link if heard.path.endswith("/result") else Said(200, task("succeeded", 3))

        with saying(answer) as server, client(server.url + "/prefix/", KEY) as facefleet:
            done = facefleet.task("t-1")
            assert done.image() == b"photo"
            assert KEY not in f"{facefleet!r} {done!r} {vars(facefleet)!r}"
    assert [heard.path for heard in server.heard] == ["/prefix/v1/tasks/t-1", "/prefix/v1/tasks/t-1/result"]
    assert {heard.headers["authorization"] for heard in server.heard} == {f"Bearer {KEY}"}
    assert [heard.headers.get("authorization") for heard in store.heard] == [None]
    assert KEY not in caplog.text


def test_a_store_that_fails_says_nothing_of_its_link(tmp_path: Path) -> None:
    with saying(in_turn(Said(403, b"<Error>expired</Error>"))) as store:
        link = Said(307, b"", {"location": f"{store.url}/r?X-Amz-Signature=secret"})

        def answer(heard: Heard) -> Said:
            return link if heard.path.endswith("/result") else Said(200, task("succeeded", 3))

        with saying(answer) as server, client(server.url) as facefleet, pytest.raises(ServerUnreachable) as caught:
            facefleet.task("t-1").save(tmp_path / "out.jpg")
    assert "secret" not in f"{caught.value} {caught.value.detail}"
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_written_over_only_when_that_is_allowed(tmp_path: Path) -> None:
    out = tmp_path / "out.jpg"
    out.write_bytes(b"mine")
    said = in_turn(Said(200, task("succeeded", 3)), Said(200, b"photo"))
    with saying(said) as server, client(server.url) as facefleet:
        done = facefleet.task("t-1")
        with pytest.raises(FileExists):
            done.save(out)
        assert out.read_bytes() == b"mine"
        assert done.save(str(out), overwrite=True) == out
    assert out.read_bytes() == b"photo"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jpg"]
