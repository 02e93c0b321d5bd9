"""Situations that more than one kind of server is put into: two upgrades at once, kills while many work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Protocol

from tests.servers import wait_until

# Both wait for the same file to appear, then upgrade at the same moment.
_UPGRADE = """
import sys, time, pathlib
from facefleet.tasks.tables import schema
from facefleet.tasks.tables.upgrade import upgrade
from facefleet.tasks.tables.database import Database
database = Database(sys.argv[1])
pathlib.Path(sys.argv[3]).touch()
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.0005)
upgrade(database)
schema.require_current(database)
"""


class Mortal(Protocol):
    """A server that can be killed and started again."""

    def kill(self) -> None: ...

    def start(self) -> None: ...


def upgrade_twice_at_once(url: str, folder: Path) -> None:
    """In two processes; both must succeed, without a word."""
    go, marks = folder / "go", [folder / "ready-1", folder / "ready-2"]
    both = [
        subprocess.Popen([sys.executable, "-c", _UPGRADE, url, str(go), str(mark)], stderr=subprocess.PIPE)
        for mark in marks
    ]
    try:
        wait_until(lambda: all(mark.exists() for mark in marks), "both processes are ready", 30)
        go.touch()
        outcomes = [(process.communicate(timeout=30)[1], process.returncode) for process in both]
    finally:
        for process in both:
            process.kill()
            process.wait()
    assert [(words.decode()[-1000:], code) for words, code in outcomes] == [("", 0), ("", 0)]


def kill_while_working(
    server: Mortal, work: Callable[[int, Event], None], kept: Sequence[object], outages: Sequence[int], threads: int
) -> None:
    """Kill and start a server three times while so many threads work on it.

    Args:
        server: Running, and running again at the end.
        work: Called with the thread's number until the event is set; adds to ``kept`` and ``outages``.
        kept: What the server has acknowledged so far.
        outages: The numbers of threads that met one.
        threads: How many work.
    """
    stop = Event()
    with ThreadPoolExecutor(threads) as pool:
        loops = [pool.submit(work, number, stop) for number in range(threads)]
        try:
            for _ in range(3):
                _wait_for_more(kept)
                server.kill()
                met = len(outages)
                wait_until(lambda met=met: len(outages) > met + threads, "the outage is met", 20)  # type: ignore[misc]
                server.start()
            _wait_for_more(kept)
        finally:
            stop.set()
        for loop in loops:
            loop.result(timeout=60)
    assert outages


def _wait_for_more(kept: Sequence[object]) -> None:
    before = len(kept)
    wait_until(lambda: len(kept) > before + 40, "more is acknowledged", 20)
