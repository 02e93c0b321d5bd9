"""Keeps the runtime's note on its CPU delegate off stderr; whatever else is written there meanwhile arrives.

LiteRT writes it from native code when the first interpreter is made, and offers no switch: neither an environment
variable nor a level of Python's logging reaches it.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_NOTE = b"INFO: Created TensorFlow Lite XNNPACK delegate"
_ONE_AT_A_TIME = threading.Lock()  # the descriptor belongs to the process
_noted = threading.Event()  # the runtime writes it once


@contextmanager
def without_note() -> Iterator[None]:
    """Hold stderr back while an interpreter is made, until the note has come; then hand on all but the note.

    What other threads write meanwhile is held back, too, and keeps its order. Where stderr is closed or nothing can be
    held, the note is written.
    """
    with _ONE_AT_A_TIME:
        held = None if _noted.is_set() else _hold()
        try:
            yield
        finally:
            if held is not None:
                _hand_on(*held)


def _hold() -> tuple[int, int] | None:
    """The true stderr, and the file that takes its place."""
    try:
        true = os.dup(_STDERR)
    except OSError:
        return None
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), _STDERR)
            return true, os.dup(file.fileno())
    except OSError:
        os.close(true)
        return None


def _hand_on(true: int, file: int) -> None:
    os.dup2(true, _STDERR)
    try:
        os.lseek(file, 0, os.SEEK_SET)
        with os.fdopen(file, "rb") as stream:
            for line in stream:
                if line.startswith(_NOTE):
                    _noted.set()
                else:
                    os.write(true, line)
    finally:
        os.close(true)
