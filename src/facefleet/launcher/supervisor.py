"""Child processes kept alive: started in order, restarted with back-off, stopped in reverse."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO

from facefleet.errors.client import ServerUnreachable
from facefleet.observability.logs import logger

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
HEALTHY_SECONDS = 10.0  # a part that lived this long starts its back-off anew
PATIENCE_SECONDS = 15.0
PRIVATE = 0o077  # what the parts write, photos among it, is for their owner only
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1

_log = logger(__name__)


def _nobody(_: int) -> None:
    """For a part whose death nobody asked to hear of."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep alive.

    Attributes:
        ready: Asked again and again after a start; must not raise.
        folder: Where it runs; ours where none is given.
        log: Where its output goes; the terminal where none is given.
        patience: s that it may take to stop before it is killed.
        ended: Told the process id of each of its processes that died.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    folder: Path | None = None
    log: Path | None = None
    patience: float = PATIENCE_SECONDS
    ended: Callable[[int], None] = _nobody


@dataclass(slots=True)
class _Child:
    part: Part
    process: subprocess.Popen[bytes]
    started: float
    backoff: float = FIRST_BACKOFF_SECONDS
    restart_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Runs parts until told to stop. One thread calls all of it.

    What dies is started again after a pause that doubles while it dies young; what leaves in peace, after the first.
    """

    stop: Event
    clock: Callable[[], float] = time.monotonic
    _children: list[_Child] = field(default_factory=list)

    def start(self, part: Part) -> None:
        """Start a part; those started later are stopped earlier."""
        self._children.append(_Child(part, _spawn(part), self.clock()))

    def wait_ready(self, seconds: float = math.inf) -> bool:
        """Wait until every part is ready; false when stopped meanwhile.

        Raises:
            ServerUnreachable: A part died, or was not ready in time.
        """
        until = self.clock() + seconds
        for child in self._children:
            while not child.part.ready():
                if child.process.poll() is not None:
                    raise _not_up(child, f"ended with status {child.process.returncode}")
                if self.clock() > until:
                    raise _not_up(child, f"was not ready within {seconds:.0f} s")
                if self.stop.wait(_POLL_SECONDS):
                    return False
        return True

    def watch(self) -> None:
        """Restart what dies until told to stop."""
        while not self.stop.wait(_POLL_SECONDS):
            for child in self._children:
                self._mend(child)

    def shut_down(self, *, together: bool = False) -> None:
        """End every part in reverse order, or all at once: first asked, then killed."""
        if together:
            self.send(signal.SIGTERM)
        for child in reversed(self._children):
            _end(child.process, child.part, asked=together)
        self._children.clear()

    def send(self, what: signal.Signals) -> None:
        """A signal to every part that runs."""
        for child in self._children:
            child.process.send_signal(what)  # does nothing where it has ended

    def pids(self) -> dict[str, int]:
        """Name → process id of the parts."""
        return {child.part.name: child.process.pid for child in self._children}

    def ages(self) -> dict[str, float]:
        """Name → s since the start of the parts that run. Safe to ask from another thread."""
        now = self.clock()
        return {child.part.name: now - child.started for child in self._children if child.process.poll() is None}

    def _mend(self, child: _Child) -> None:
        now = self.clock()
        if child.process.poll() is None:
            return
        if child.restart_at is None:
            status = child.process.returncode
            if status == os.EX_OK or now - child.started > HEALTHY_SECONDS:  # one that was asked to leave is not ill
                child.backoff = FIRST_BACKOFF_SECONDS
            child.restart_at = now + child.backoff
            _log.warning("part.died", part=child.part.name, status=status, restart_in=child.backoff)
            child.part.ended(child.process.pid)
            child.backoff = min(LONGEST_BACKOFF_SECONDS, child.backoff * 2)
        elif now >= child.restart_at:
            child.process, child.started, child.restart_at = _spawn(child.part), now, None
            _log.info("part.restarted", part=child.part.name, pid=child.process.pid)


def _spawn(part: Part) -> subprocess.Popen[bytes]:
    """A process in a session of its own: Ctrl-C reaches only us, and we stop the parts in order."""
    out: IO[bytes] | None = None
    if part.log is not None:
        part.log.parent.mkdir(parents=True, exist_ok=True)
        out = part.log.open("ab")
    try:
        return subprocess.Popen(  # noqa: S603 - our own command
            part.command, env=dict(part.environment), stdin=subprocess.DEVNULL, cwd=part.folder, umask=PRIVATE,
            stdout=out or sys.stderr, stderr=out or sys.stderr, start_new_session=True, preexec_fn=_die_with_parent,
        )  # fmt: skip
    finally:
        if out is not None:
            out.close()


def _die_with_parent() -> None:
    """Linux only: a part must not outlive a supervisor that was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes], part: Part, *, asked: bool) -> None:
    if not asked:
        process.terminate()
    try:
        process.wait(part.patience)
    except subprocess.TimeoutExpired:
        _log.warning("part.killed", part=part.name, after_seconds=part.patience)
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def _not_up(child: _Child, what: str) -> ServerUnreachable:
    where = f"; see {child.part.log}" if child.part.log else ""
    return ServerUnreachable(f"The {child.part.name} {what}{where}.", part=child.part.name)
