"""The names of a batch's pictures, kept in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from facefleet.cli.remote.result_names import delete_names, load_names, save_names
from facefleet.errors.input import FileUnreadable


def test_names_are_kept_until_they_are_dropped(tmp_path: Path) -> None:
    save_names(tmp_path, "b-1", ["a.jpg", "größe.png"])
    assert load_names(tmp_path, "b-1") == ["a.jpg", "größe.png"]
    assert load_names(tmp_path, "b-2") is None
    delete_names(tmp_path, "b-1")
    assert load_names(tmp_path, "b-1") is None
    assert list(tmp_path.iterdir()) == []


def test_an_id_leads_out_of_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    save_names(tmp_path / "out", "/../../b-1", ["a.jpg"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[1]", '["../a.jpg"]', '["/tmp/a.jpg"]', '[""]', '[".."]'])
def test_names_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ".facefleet-b-1.json").write_text(text)
    with pytest.raises(FileUnreadable, match="damaged"):
        load_names(tmp_path, "b-1")
