"""Streams and names that make a careless program hang, crash or steer a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    alias = f'facefleet() {{ {sys.executable} -m facefleet "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", alias + line],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_pipe_in_place_of_a_photo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = shell("facefleet faces pipe --json", tmp_path)
    assert done.returncode == 1
    assert '"file_unreadable"' in done.stdout


def test_a_file_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    done = shell("facefleet faces $'x\\ny\\e[31m\\e]0;pwn\\a.jpg'", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert "\\x1b" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("command", ["config --json", "--help", "--version", "models list", "faces nope.jpg --json"])
def test_a_full_disk_behind_stdout_is_one_line(tmp_path: Path, command: str) -> None:
    done = shell(f"facefleet {command} > /dev/full", tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].endswith("[file_unwritable]")


@pytest.mark.parametrize("command", ["--version", "--help", "config --json"])
def test_a_closed_stdout_takes_what_is_written_to_it(tmp_path: Path, command: str) -> None:
    done = shell(f"facefleet {command} >&-", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fusion_with_both_streams_closed_still_writes_its_output(tmp_path: Path, samples: Mapping[str, Path]) -> None:
    photos = f"{samples['astronaut']} {samples['grace_hopper']}"
    assert shell(f"facefleet fuse {photos} -o o.jpg >&- 2>&-", tmp_path).returncode == 0
    assert (tmp_path / "o.jpg").stat().st_size > 10_000
