"""The ZIP file of a batch's results, from records and a store of the test's own."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import pytest
from obstore.store import MemoryStore
from tests.tasks.fakes import a_task

from facefleet.errors.outage import StoreUnavailable
from facefleet.gateway.archive import archive
from facefleet.storage.store import ObjectStore
from facefleet.tasks.task import Failure, Task
from facefleet.tasks.transitions import State

PNG, WEBP = "image/png", "image/webp"


class Shelf(ObjectStore):
    """A store that counts what is taken from it, and fails at one key.

    Args:
        away: The key.
    """

    def __init__(self, away: str = "") -> None:
        super().__init__(MemoryStore())
        self.taken: list[str] = []
        self._away = away

    def get(self, key: str) -> bytes:
        self.taken.append(key)
        if key == self._away:
            raise StoreUnavailable("The object store did not answer; try again.")
        return super().get(key)


def done(item: int, media_type: str = PNG) -> Task:
    return replace(a_task(item=item), state=State.SUCCEEDED, result=f"result-{item}", result_type=media_type)


def rows(file: ZipFile) -> Any:
    return json.loads(file.read("results.json"))


def test_a_batch_without_results_is_a_file_with_an_index_alone() -> None:
    file = ZipFile(io.BytesIO(b"".join(archive([], Shelf()))))
    assert (file.namelist(), rows(file)) == (["results.json"], [])


def test_each_result_is_an_entry_by_its_number_and_type_that_a_stream_can_be_read_by() -> None:
    store = Shelf()
    for item in (0, 11):
        store.put(f"result-{item}", bytes([item]) * 70_000)
    file = ZipFile(io.BytesIO(b"".join(archive([done(0), done(11, WEBP)], store))))
    assert file.testzip() is None
    assert file.namelist() == ["0000.png", "0011.webp", "results.json"]
    assert file.read("0011.webp") == b"\x0b" * 70_000
    headers = [(one.compress_type, one.flag_bits & 8, one.file_size > 0) for one in file.infolist()]
    assert headers == [(ZIP_STORED, 0, True)] * 3, "a size that comes after its entry cannot be read from a stream"


def test_an_index_row_says_what_became_of_each_item_and_no_more() -> None:
    store, secret = Shelf(), Failure("face_not_found", "No face.", {"image": "target"})
    store.put("result-0", b"x")
    tasks = [
        done(0), done(1),
        replace(a_task(item=2), state=State.FAILED, failure=secret),
        replace(a_task(item=3), state=State.QUEUED, failure=Failure("store_unavailable", "Met before.")),
        replace(a_task(item=4), state=State.CANCELED),
        replace(a_task(item=5), state=State.SUCCEEDED),
    ]  # fmt: skip
    found = rows(ZipFile(io.BytesIO(b"".join(archive(tasks, store)))))
    assert {tuple(row) for row in found} == {("item", "task_id", "status", "file", "error")}
    assert [row["task_id"] for row in found] == [task.id for task in tasks]
    assert [(row["item"], row["status"], row["file"], row["error"]) for row in found] == [
        (0, "succeeded", "0000.png", None),
        (1, "succeeded", None, {"code": "result_unavailable", "message": "The result has been deleted."}),
        (2, "failed", None, {"code": "face_not_found", "message": "No face."}),
        (3, "queued", None, None),
        (4, "canceled", None, None),
        (5, "succeeded", None, None),
    ]


def test_one_picture_is_held_at_a_time() -> None:
    store = Shelf()
    for item in range(3):
        store.put(f"result-{item}", b"x" * 50_000)
    pieces = archive(map(done, range(3)), store)
    for count in (1, 2, 3):
        assert len(next(pieces)) < 51_000
        assert len(store.taken) == count, "the next is read when this one has been sent"


def test_a_store_that_goes_away_leaves_a_file_that_no_reader_takes_for_whole(tmp_path: Path) -> None:
    store, came = Shelf(away="result-1"), tmp_path / "came.zip"
    store.put("result-0", b"x")
    with came.open("wb") as file, pytest.raises(StoreUnavailable):
        file.writelines(archive([done(0), done(1)], store))
    assert came.stat().st_size > 0
    with pytest.raises(BadZipFile):
        ZipFile(came)
