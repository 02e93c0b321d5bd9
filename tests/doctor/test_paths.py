"""Folders: whether a file can be made in them."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import SecretStr

from facefleet.config import Engine, Objects, Records, Settings
from facefleet.doctor import paths
from facefleet.doctor.contract import Paths
from facefleet.doctor.report import State

CLOSED = Path("/proc")  # nobody can make a file in it, not even root


def test_a_folder_that_is_not_there_yet_can_be_made(tmp_path: Path) -> None:
    found = paths.data_folder(Settings(data=tmp_path / "new" / "one"))
    assert found.state in (State.OK, State.WARNING)
    assert not (tmp_path / "new").exists()


def test_a_closed_data_folder_is_broken_unless_everything_is_elsewhere() -> None:
    found = paths.data_folder(Settings(data=CLOSED / "facefleet"))
    assert found.state is State.BROKEN
    assert "FACEFLEET_DATA" in found.advice
    elsewhere = Settings(
        data=CLOSED / "facefleet",
        records=Records(url=SecretStr("postgresql://db/records")),
        objects=Objects(url=SecretStr("s3://photos")),
    )
    assert paths.data_folder(elsewhere).state is State.SKIPPED


def test_a_closed_cache_is_a_warning_since_models_may_be_there_already() -> None:
    assert paths.model_cache(Settings(engine=Engine(cache=CLOSED / "models"))).state is State.WARNING


def test_little_space_is_a_warning_and_none_is_broken(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    whole = shutil.disk_usage(tmp_path)
    for free, state in ((1_000_000_000, State.WARNING), (1_000_000, State.BROKEN)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: whole._replace(free=free))
        assert paths.data_folder(Settings(data=tmp_path)).state is state


def test_writable_folders_are_held_to_the_contract(tmp_path: Path) -> None:
    wanted = Paths.model_validate({"writable": [str(tmp_path), str(CLOSED), str(tmp_path / "none")], "free": "1 KiB"})
    found = list(paths.wanted(wanted))
    assert [(one.line, one.state) for one in found] == [
        ("paths.writable", State.OK), ("paths.free", State.OK),
        ("paths.writable", State.BROKEN), ("paths.writable", State.BROKEN),
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    assert found[3].found == "No such file or directory"


def test_space_is_held_to_the_contract(tmp_path: Path) -> None:
    wanted = Paths.model_validate({"writable": [str(tmp_path)], "free": "1 EiB"})
    assert [one.state for one in paths.wanted(wanted)] == [State.OK, State.BROKEN]


def test_read_only_folders_are_held_to_the_contract(tmp_path: Path) -> None:
    found = list(paths.wanted(Paths(read_only=(CLOSED, tmp_path, tmp_path / "none"))))
    assert [one.state for one in found] == [State.OK, State.BROKEN, State.BROKEN]
    assert found[1].found == "a file can be made in it"
    assert list(tmp_path.iterdir()) == []
