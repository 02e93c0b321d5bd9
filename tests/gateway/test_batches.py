"""Batches through a real gateway, with a real worker's handler on the same records and store."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import httpx
import pytest
from tests.gateway.conftest import LEASE, Door, Open, Work, picture
from tests.gateway.test_erasure import retention
from tests.gateway.test_templates import ready
from tests.tasks.fakes import FakeClock

from facefleet.clock import now


def batch(door: Door, photos: list[tuple[str, bytes]], headers: Any = None, **data: Any) -> httpx.Response:
    files = [(name, (f"{number}.bin", photo)) for number, (name, photo) in enumerate(photos)]
    return door.client.post("/v1/batches", files=files, data={"consent": "true"} | data, headers=headers)


def test_one_source_goes_into_many_targets_and_the_results_come_as_one_file(
    door: Door, work: Work, woman: bytes, admiral: bytes, photo: bytes
) -> None:
    answer = batch(door, [("source", woman), ("target", admiral), ("target", photo), ("target", admiral)])
    assert answer.status_code == 202
    made = answer.json()
    assert (made["total"], made["status"], made["counts"]["queued"]) == (3, "queued", 3)
    assert answer.headers["location"] == made["links"]["self"]
    assert len(door.kept()) == 4, "what the items share is kept once"
    archive = door.client.get(made["links"]["results"])
    assert archive.headers["content-disposition"] == f'attachment; filename="{made["batch_id"]}.zip"'
    assert "no-store" in archive.headers["cache-control"]
    early = ZipFile(io.BytesIO(archive.content))
    assert early.namelist() == ["results.json"]
    work(door)
    shown = door.client.get(made["links"]["self"]).json()
    assert (shown["status"], shown["counts"]["succeeded"], shown["counts"]["failed"]) == ("ended", 2, 1)
    items = door.client.get(made["links"]["tasks"]).json()["tasks"]
    assert [(one["item"], one["batch_id"], one["lane"]) for one in items] == [
        (number, made["batch_id"], "bulk") for number in range(3)
    ]
    file = ZipFile(io.BytesIO(door.client.get(made["links"]["results"]).content))
    assert file.testzip() is None
    assert file.namelist() == ["0000.jpg", "0002.jpg", "results.json"]
    assert {(one.compress_type, one.flag_bits & 8) for one in file.infolist()} == {(ZIP_STORED, 0)}
    assert file.read("0002.jpg") == door.client.get(items[2]["links"]["result"]).content
    index = json.loads(file.read("results.json"))
    assert [(one["status"], one["file"]) for one in index] == [
        ("succeeded", "0000.jpg"), ("failed", None), ("succeeded", "0002.jpg"),
    ]  # fmt: skip
    assert index[1]["error"]["code"] == "face_not_found"


def test_many_sources_go_into_one_template(door: Door, work: Work, woman: bytes, admiral: bytes) -> None:
    template = ready(door, work, admiral)
    made = batch(door, [("source", woman), ("source", admiral)], template_id=template["template_id"]).json()
    assert (made["total"], made["template_id"]) == (2, template["template_id"])
    assert work(door) == 2
    assert door.client.get(made["links"]["self"]).json()["counts"]["succeeded"] == 2


def test_one_source_goes_into_many_templates(door: Door, work: Work, woman: bytes, admiral: bytes) -> None:
    ids = [ready(door, work, admiral)["template_id"] for _ in range(2)]
    made = batch(door, [("source", woman)], template_id=ids).json()
    items = door.client.get(made["links"]["tasks"]).json()["tasks"]
    assert [one["template_id"] for one in items] == ids


BAD: list[tuple[str, list[tuple[str, bytes]], dict[str, Any], str, int | None]] = [
    ("the third target is no photo", [("source", picture()), ("target", picture()), ("target", picture()),
                                      ("target", b"text")], {}, "image_type_unsupported", 2),
    ("a photo is empty", [("source", picture()), ("target", picture()), ("target", b"")], {}, "upload_missing", 1),
    ("no consent", [("source", picture()), ("target", picture())], {"consent": "no"}, "consent_required", None),
    ("no target", [("source", picture())], {}, "upload_missing", None),
    ("no source", [("target", picture())], {}, "upload_missing", None),
    ("many into many", [("source", picture())] * 2 + [("target", picture())] * 2, {}, "request_invalid", None),
    ("both targets", [("source", picture()), ("target", picture())], {"template_id": "x"}, "request_invalid", None),
    ("no such template", [("source", picture())], {"template_id": ["x"]}, "template_not_found", 0),
    ("bad options", [("source", picture()), ("target", picture())], {"options": "[]"}, "option_invalid", None),
    ("two sources in options", [("source", picture()), ("target", picture())],
     {"options": '{"faces": [{"source": 1, "target_face": 0}]}'}, "option_invalid", None),
]  # fmt: skip


@pytest.mark.parametrize(("photos", "data", "code", "number"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_batch_with_one_bad_item_is_refused_as_a_whole(
    shared_door: Door, photos: list[tuple[str, bytes]], data: dict[str, Any], code: str, number: int | None
) -> None:
    answer = batch(shared_door, photos, **data)
    assert answer.json()["code"] == code
    assert answer.json()["context"].get("number") == number
    assert shared_door.kept() == []
    assert shared_door.client.get("/v1/batches").json()["batches"] == []


def test_a_batch_that_is_sent_again_is_made_once(door: Door, photo: bytes) -> None:
    key = {"Idempotency-Key": "b-1"}
    photos = [("source", photo), ("target", photo)]
    first, again = (batch(door, photos, key).json() for _ in range(2))
    assert first["batch_id"] == again["batch_id"]
    assert len(door.kept()) == 2
    assert batch(door, [*photos, ("target", photo)], key).json()["code"] == "idempotency_conflict"
    assert len(door.kept()) == 2


def test_of_two_twins_at_once_one_batch_is_made(door: Door, photo: bytes) -> None:
    def send(_: int) -> str:
        made = batch(door, [("source", photo), ("target", photo)], {"Idempotency-Key": "b-2"})
        return str(made.json()["batch_id"])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(send, range(4)))) == 1
    assert len(door.kept()) == 2


def test_a_batch_over_what_may_wait_is_refused(open_door: Open, photo: bytes) -> None:
    door = open_door(tasks={"max_backlog": 3})
    full = batch(door, [("source", photo)] + [("target", photo)] * 4)
    assert (full.status_code, full.json()["code"]) == (503, "overloaded")
    assert door.kept() == []
    assert batch(door, [("source", photo)] + [("target", photo)] * 3).status_code == 202


def test_a_canceled_batch_ends_and_keeps_what_was_done(door: Door, photo: bytes) -> None:
    made = batch(door, [("source", photo)] + [("target", photo)] * 3).json()
    first = door.client.get(made["links"]["tasks"]).json()["tasks"][0]
    claimed = door.records.claim(first["task_id"], LEASE, {})
    assert claimed is not None
    door.records.succeed(claimed, "tenants/local/results/x/1", "image/jpeg", {})
    for _ in range(2):
        canceled = door.client.post(made["links"]["cancel"]).json()
        assert canceled["status"] == "canceled"
        assert (canceled["counts"]["succeeded"], canceled["counts"]["canceled"]) == (1, 2)


def test_an_erased_batch_leaves_nothing_but_its_receipt(door: Door, work: Work, woman: bytes, admiral: bytes) -> None:
    made = batch(door, [("source", woman), ("target", admiral), ("target", admiral)]).json()
    first = door.client.get(made["links"]["tasks"]).json()["tasks"][0]
    claimed = door.records.claim(first["task_id"], LEASE, {})
    assert claimed is not None
    work(door)
    for _ in range(2):
        receipt = door.client.delete(made["links"]["self"]).json()
        assert (receipt["status"], receipt["erased_at"] is not None) == ("erased", True)
    assert door.kept() == []
    assert not door.records.succeed(claimed, "tenants/local/results/x/1", "image/jpeg", {})
    assert door.client.get(made["links"]["self"]).json()["status"] == "canceled"


def test_an_item_that_is_erased_takes_its_own_photo_and_not_what_is_shared(door: Door, photo: bytes) -> None:
    made = batch(door, [("source", photo), ("target", photo), ("target", photo)]).json()
    items = door.client.get(made["links"]["tasks"]).json()["tasks"]
    door.client.delete(items[0]["links"]["self"])
    left = [key.rsplit("/", 1)[1] for key in door.kept()]
    assert left == ["source-0000", "target-0001"]


def test_uploads_of_a_batch_go_when_all_its_items_have_ended_long_enough(door: Door, photo: bytes) -> None:
    made = batch(door, [("source", photo), ("target", photo), ("target", photo)]).json()
    items = door.client.get(made["links"]["tasks"]).json()["tasks"]
    deleter = retention(door, FakeClock(now() + timedelta(hours=2)))
    door.client.post(items[0]["links"]["cancel"])
    deleter.round()
    assert [key.rsplit("/", 1)[1] for key in door.kept()] == ["source-0000", "target-0001"]
    assert deleter.delete_orphans() == 0
    door.client.post(items[1]["links"]["cancel"])
    deleter.round()
    assert door.kept() == []
    retention(door, FakeClock(now() + timedelta(days=400))).round()
    retention(door, FakeClock(now() + timedelta(days=400))).round()
    assert door.client.get(made["links"]["self"]).json()["code"] == "batch_not_found"


def test_uploads_of_a_batch_that_was_never_committed_are_orphans(door: Door, photo: bytes) -> None:
    lost = "01890000-0000-7000-8000-000000000000"
    door.parts.store.put(f"tenants/local/inputs/{lost}/source-0000", photo)
    assert retention(door, FakeClock(now())).delete_orphans() == 1
    assert door.kept() == []


def test_batches_are_listed_page_by_page_and_are_nobody_elses(door: Door, photo: bytes) -> None:
    made = [batch(door, [("source", photo), ("target", photo)]).json()["batch_id"] for _ in range(3)]
    page = door.client.get("/v1/batches", params={"limit": 2}).json()
    assert [one["batch_id"] for one in page["batches"]] == made[:0:-1]
    page = door.client.get("/v1/batches", params={"cursor": page["next_cursor"]}).json()
    assert [one["batch_id"] for one in page["batches"]] == made[:1]
    assert door.client.get("/v1/batches/none").json()["code"] == "batch_not_found"


def test_a_thousand_items_are_one_batch_and_one_more_is_refused(door: Door) -> None:
    small = picture(64, 64)
    made = batch(door, [("source", small)] + [("target", small)] * 1000)
    assert made.json()["total"] == 1000
    over = batch(door, [("source", small)] + [("target", small)] * 1001)
    assert (over.status_code, over.json()["field"]) == (400, "target")
    assert len(door.kept()) == 1001
