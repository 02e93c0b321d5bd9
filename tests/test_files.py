"""A secret that a service keeps is made once, read by its owner alone, and what is wrong with its file is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from facefleet.errors.input import ConfigInvalid
from facefleet.files import kept_secret


def kept(path: Path, made: str = "s3cret") -> str:
    return kept_secret(path, lambda: made, "FACEFLEET_X")


def test_it_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.secret"
    assert [kept(path), kept(path, "another")] == ["s3cret", "s3cret"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_used_is_told_in_words_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"No such file or directory; set FACEFLEET_X\.") as missing:
        kept(tmp_path / "nowhere" / "x.secret")
    assert missing.value.detail["path"] == str(tmp_path / "nowhere" / "x.secret")
    path = tmp_path / "x.secret"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigInvalid, match="not ASCII text"):
        kept(path)
