"""The runtime's note stays off stderr, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from facefleet.engine.models import quiet
from facefleet.engine.types import ModelFiles

NOTE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that has not yet written its note."""
    monkeypatch.setattr(quiet, "_noted", threading.Event())


@contextmanager
def descriptor_2(path: Path) -> Iterator[None]:
    """A file in its place."""
    true = os.dup(2)
    try:
        with path.open("wb") as file:
            os.dup2(file.fileno(), 2)
            yield
    finally:
        os.dup2(true, 2)
        os.close(true)


def test_the_note_is_left_out_and_what_stands_round_it_is_not(tmp_path: Path) -> None:
    with descriptor_2(tmp_path / "stderr"):
        with quiet.without_note():
            os.write(2, b"before\n" + NOTE + b"ERROR: no memory\nhalf a line")
        os.write(2, b" and the rest\n")
    assert (tmp_path / "stderr").read_bytes() == b"before\nERROR: no memory\nhalf a line and the rest\n"


def test_after_the_note_nothing_is_held_back(tmp_path: Path) -> None:
    with descriptor_2(tmp_path / "stderr"):
        with quiet.without_note():
            os.write(2, NOTE)
        with quiet.without_note():
            os.write(2, b"at once\n")
            assert (tmp_path / "stderr").read_bytes() == b"at once\n"


def test_an_error_leaves_stderr_as_it_was(tmp_path: Path) -> None:
    with descriptor_2(tmp_path / "stderr"):
        with suppress(ValueError), quiet.without_note():
            os.write(2, b"why\n")
            raise ValueError("weights")
        os.write(2, b"later\n")
    assert (tmp_path / "stderr").read_bytes() == b"why\nlater\n"


def test_no_descriptor_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with quiet.without_note():
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_stderr_an_interpreter_is_made_all_the_same() -> None:
    true = os.dup(2)
    os.close(2)
    try:
        with quiet.without_note():
            pass
    finally:
        os.dup2(true, 2)
        os.close(true)


def test_the_runtime_writes_nothing_to_stderr(models: Mapping[str, ModelFiles]) -> None:
    """In a process of its own: it writes its note once in each."""
    paths = [str(path) for model in models.values() for path in model.files.values() if path.suffix == ".tflite"]
    program = (
        "import sys; from pathlib import Path; from facefleet.engine.models.litert import LiteRtSession;"
        "from facefleet.engine.types import ModelFiles;"
        "[LiteRtSession(ModelFiles('m', '1', {'m': Path(path)})).warm() for path in sys.argv[1:]]"
    )
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
