"""Archives from whoever answers, as files in one folder and nowhere else."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import httpx
import pytest
from tests.client.scripted import Heard, Said, saying

from facefleet.cli.remote.batch_results import ItemResult, unpack
from facefleet.client import Client
from facefleet.errors.client import ServerUnreachable
from facefleet.errors.input import FileUnwritable

SHOWN = {"batch_id": "b-1", "total": 2, "status": "ended"}
NAMES = ["a.jpg", "b.jpg"]


def row(item: Any, file: str | None, **error: str) -> dict[str, Any]:
    return {"item": item, "task_id": f"t-{item}", "status": "succeeded", "file": file, "error": error or None}


def archive(rows: Any, **entries: bytes) -> bytes:
    written = io.BytesIO()
    with ZipFile(written, "w", ZIP_STORED) as file:
        for name, data in entries.items():
            file.writestr(name, data)
        if rows is not None:
            file.writestr("results.json", json.dumps(rows))
    return written.getvalue()


def unpacked(data: bytes, folder: Path, *, overwrite: bool = False) -> list[ItemResult]:
    def answer(heard: Heard) -> Said:
        return Said(200, data) if heard.path.endswith("/results") else Said(200, SHOWN)

    with saying(answer) as server, httpx.Client(trust_env=False, verify=False) as http:
        return unpack(Client(server.url, http=http).get_batch("b-1"), folder, NAMES, overwrite=overwrite)


def test_no_name_of_an_archive_leads_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    evil = {"../evil.jpg": b"one", "/tmp/evil.jpg": b"two", "unasked.jpg": b"three"}
    found = unpacked(archive([row(0, "../evil.jpg"), row(1, "/tmp/evil.jpg")], **evil), folder)
    assert [one.output for one in found] == [folder / "a.jpg", folder / "b.jpg"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.jpg": b"one", "b.jpg": b"two"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_is_there_stays_and_the_others_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"mine")
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "elsewhere")
    data = archive([row(0, "0000.jpg"), row(1, None, code="face_not_found")], **{"0000.jpg": b"new"})
    taken, failed = unpacked(data, tmp_path)
    assert (taken.output, taken.row["error"]["code"]) == (None, "file_exists")
    assert (failed.output, failed.row["error"]["code"]) == (None, "face_not_found")
    assert (tmp_path / "a.jpg").read_bytes() == b"mine"
    both = archive([row(0, "0"), row(1, "1")], **{"0": b"new", "1": b"newer"})
    unpacked(both, tmp_path, overwrite=True)
    assert [(tmp_path / name).read_bytes() for name in ("a.jpg", "b.jpg", "elsewhere")] == [b"new", b"newer", b"mine"]


def test_a_folder_that_went_away_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(FileUnwritable, match="gone"):
        unpacked(archive([row(0, "0")], **{"0": b"new"}), tmp_path / "gone")


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        archive(None),
        archive({"a": 1}),
        archive([row(2, "0000.jpg")], **{"0000.jpg": b"new"}),
        archive([row("a.jpg", None), row("../a.jpg", "0000.jpg")], **{"0000.jpg": b"new"}),
        archive([row(0, "0000.jpg")]),
        archive([row(0, "0000.jpg")], **{"0000.jpg": b"new data"}).replace(b"new data", b"old data"),
        archive([row(0, "0000.jpg")], **{"0000.jpg": b"new data"})[:40],
    ],
    ids=["no archive", "no index", "no rows", "unknown item", "no number", "no entry", "checksum", "cut off"],
)
def test_what_is_no_archive_of_a_gateway_is_told_and_leaves_nothing(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ServerUnreachable):
        unpacked(data, tmp_path)
    assert list(tmp_path.iterdir()) == []
