"""Batches by the client, a real gateway, and a real worker's handler on its records."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from tests.client.conftest import begin, fail
from tests.client.scripted import Heard, Said, in_turn, refusal, saying
from tests.gateway.conftest import Door, Work

from facefleet.client import Client, Patience
from facefleet.client.photos import Photo
from facefleet.errors.base import FacefleetError
from facefleet.errors.client import ServerUnreachable, WaitTimeout
from facefleet.errors.conflict import IdempotencyConflict
from facefleet.errors.input import (
    ConsentRequired,
    FaceNotFound,
    FileExists,
    FileUnreadable,
    FileUnwritable,
    ImageTypeUnsupported,
    RequestError,
    UploadMissing,
)
from facefleet.errors.lookup import BatchNotFound, TemplateNotFound

SHOWN = {"batch_id": "b-1", "total": 3, "status": "running", "counts": {"succeeded": 1, "running": 2}, "links": {}}


@pytest.mark.needs_server
def test_many_faces_go_into_one_target_and_the_results_into_one_file(
    client: Client, door: Door, work: Work, woman: bytes, admiral: bytes, photo: bytes, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(woman)
    (tmp_path / "results").mkdir()
    sources: list[Photo] = [tmp_path / "a.png", photo, str(tmp_path / "a.png")]
    made = client.batch(sources=sources, target=admiral, consent=True, strength=0.9, idempotency_key="campaign-1")
    assert (made.status, made.view.total, made.view.done) == ("queued", 3, 0)
    assert made.view.raw == door.client.get(f"/v1/batches/{made.id}").json()
    assert client.batch(sources=sources, target=admiral, consent=True, strength=0.9, idempotency_key="campaign-1").id \
        == made.id  # fmt: skip
    with pytest.raises(IdempotencyConflict):
        client.batch(sources=[photo], target=photo, consent=True, idempotency_key="campaign-1")
    seen: list[str] = []
    worker = Thread(target=work, args=[door])
    worker.start()
    assert made.wait(60, lambda view: seen.append(view.status)).status == "ended"
    worker.join()
    assert seen[-1] == "ended"
    assert (made.counts["succeeded"], made.counts["failed"], made.view.done) == (2, 1, 3)
    items = list(made.tasks())
    assert [(task.view.item, task.view.batch_id, task.status) for task in items] == [
        (0, made.id, "succeeded"), (1, made.id, "failed"), (2, made.id, "succeeded"),
    ]  # fmt: skip
    assert items[0].view.options["strength"] == 0.9
    path = made.save_results(tmp_path / "results")
    assert path == tmp_path / "results" / f"{made.id}.zip"
    with ZipFile(path) as file:
        assert file.read("0002.jpg") == items[2].image()
        assert [row["file"] for row in json.loads(file.read("results.json"))] == ["0000.jpg", None, "0002.jpg"]
    path.write_bytes(b"mine")
    with pytest.raises(FileExists):
        made.save_results(tmp_path / "results")
    assert path.read_bytes() == b"mine"
    assert made.save_results(str(path), overwrite=True).stat().st_size > 1000
    with pytest.raises(FileUnwritable):
        made.save_results(tmp_path / "nowhere" / "a.zip")
    receipt = made.erase()
    assert (receipt.batch_id, receipt.status) == (made.id, "erased")
    assert client.get_batch(made.id).view.erased_at == receipt.erased_at


@pytest.mark.needs_server
def test_a_batch_that_is_canceled_ends_its_wait(client: Client, door: Door, photo: bytes) -> None:
    made = client.batch(source=photo, targets=[photo] * 3, consent=True)
    first = next(made.tasks())
    fail(door, first.id, FaceNotFound("No face."))
    with pytest.raises(WaitTimeout, match="1 of 3"):
        made.wait(0.3)
    running = list(made.tasks())[1]
    begin(door, running.id)
    waiting = client.get_batch(made.id)
    thread = Thread(target=waiting.wait)
    thread.start()
    assert made.cancel().status == "canceled"
    thread.join(10)
    assert waiting.status == "canceled"
    assert {state: count for state, count in waiting.counts.items() if count} == {"failed": 1, "canceled": 2}
    assert made.cancel().status == "canceled"
    assert [one.id for one in client.batches()] == [made.id]


@pytest.mark.needs_server
def test_a_photo_that_is_none_refuses_the_batch_by_its_number(
    client: Client, door: Door, photo: bytes, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_bytes(b"no photo, but long enough to be looked at as one of them" * 9)
    with pytest.raises(ImageTypeUnsupported) as caught:
        client.batch(source=photo, targets=[photo, photo, tmp_path / "note.txt"], consent=True)
    assert (caught.value.detail["field"], caught.value.detail["number"]) == ("target", 2)
    with pytest.raises(TemplateNotFound) as missing:
        client.batch(source=photo, templates=["01a20000-0000-7000-8000-000000000000"], consent=True)
    assert (missing.value.detail["field"], missing.value.detail["number"]) == ("template_id", 0)
    with pytest.raises(BatchNotFound):
        client.get_batch("01a20000-0000-7000-8000-000000000000")
    assert door.kept() == []
    assert list(client.batches()) == []


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"source": b"a", "target": b"b", "consent": False}, ConsentRequired),
        ({"source": b"a", "targets": ["missing.jpg"]}, FileUnreadable),
        ({"target": b"b"}, UploadMissing),
        ({"source": b"a"}, UploadMissing),
        ({"source": b"a", "sources": [b"a"], "target": b"b"}, RequestError),
        ({"sources": [b"a", b"a"], "targets": [b"b", b"b"]}, RequestError),
        ({"sources": [b"a", b"a"], "templates": ["t", "u"]}, RequestError),
        ({"source": b"a", "target": b"b", "template": "t"}, RequestError),
        ({"sources": "a.jpg", "target": b"b"}, RequestError),
        ({"source": b"a", "targets": b"b"}, RequestError),
        ({"source": b"a", "targets": Path("folder")}, RequestError),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_sent(wanted: dict[str, Any], error: type[FacefleetError]) -> None:
    with saying(in_turn(Said(202, SHOWN))) as server, quick(server.url) as client:
        with pytest.raises(error) as caught:
            client.batch(**{"consent": True} | wanted)
        assert type(caught.value) is error
    assert server.heard == []


def test_a_batch_is_sent_again_with_its_key_and_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"first photo")
    said = in_turn(refusal(503, "overloaded"), Said(202, SHOWN))
    with saying(said) as server, quick(server.url) as client:
        client.batch(sources=[tmp_path / "a.jpg", b"second photo"], template="t-1", consent=True, min_strength=0.4)
    first, second = server.heard
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    for heard in server.heard:
        assert [heard.body.count(part) for part in (b"first photo", b"second photo", b"t-1")] == [1, 1, 1]
        assert b'{"min_strength": 0.4}' in heard.body
        assert b"a.jpg" not in heard.body, "names on a disk are nobody's business"


def test_neither_uploads_nor_results_are_ever_held_whole(tmp_path: Path) -> None:
    big = 24 << 20
    with (tmp_path / "a.jpg").open("wb") as stream:
        stream.truncate(big)

    def answer(heard: Heard) -> Said:
        return Said(202, SHOWN) if heard.method == "POST" else Said(200, results)

    results = bytes(big)
    with saying(answer, keep_bodies=False) as server, quick(server.url) as client:
        tracemalloc.start()
        try:
            made = client.batch(source=b"a", targets=[tmp_path / "a.jpg"] * 2, consent=True)
            path = made.save_results(tmp_path / "out.zip")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert path.stat().st_size == big
    assert peak < big / 2


@pytest.mark.parametrize("last", [True, False], ids=["and comes", "for ever"])
def test_results_that_break_off_are_fetched_again_or_leave_nothing(tmp_path: Path, last: bool) -> None:
    broken = Said(200, b"half", {"content-length": "400"})
    answers = in_turn(broken, Said(200, b"whole") if last else broken)

    def answer(heard: Heard) -> Said:
        return answers(heard) if heard.path.endswith("/results") else Said(200, SHOWN)

    with saying(answer) as server, quick(server.url) as client:
        made = client.get_batch("b-1")
        if last:
            assert made.save_results(tmp_path).read_bytes() == b"whole"
            return
        with pytest.raises(ServerUnreachable):
            made.save_results(tmp_path)
    assert list(tmp_path.iterdir()) == []


Call = Callable[[Client], object]


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.batch(source=b"a", target=b"b", consent=True),
        lambda client: client.register(b"a", consent=True),
        lambda client: client.faces(b"a"),
        lambda client: next(client.templates()),
        lambda client: client.get_batch("b-1"),
    ],
)
def test_a_server_that_is_not_there_is_told(call: Call) -> None:
    with quick("http://127.0.0.1:1") as client, pytest.raises(ServerUnreachable):
        call(client)


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({"batch_id": "b-1"}, lambda client: client.get_batch("b-1")),
        ({"template_id": "t", "status": "ready", "faces": [{"index": 0}]}, lambda client: client.template("t")),
        ({"templates": [{}], "next_cursor": None}, lambda client: list(client.templates())),
    ],
)
def test_an_answer_of_no_gateway_is_told(body: dict[str, Any], call: Call) -> None:
    with saying(in_turn(Said(200, body))) as server, quick(server.url) as client, pytest.raises(ServerUnreachable):
        call(client)


def quick(url: str) -> Client:
    return Client(url, http=httpx.Client(trust_env=False, verify=False), patience=Patience(total=0.3, shortest=0.05))
