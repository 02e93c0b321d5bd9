"""Keeps child processes alive: starts them in order, restarts them with back-off, stops them in reverse order."""

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
HEALTHY_SECONDS = 10.0  # a process that lived this long starts its back-off anew
STOP_SECONDS = 15.0
PRIVATE = 0o077  # files of the processes, photos among them, are readable by their owner only
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1

_log = logger(__name__)


def process_count(wanted: int) -> int:
    """How many processes to run: as many as wanted, or one for each core that this process may use where that is 0."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return wanted or cores


def stop_on_signals(stop: Event, hurry: Callable[[], None]) -> None:
    """Set ``stop`` at SIGTERM and SIGINT, and hurry at the next; a lost terminal ends no task.

    Args:
        stop: Of a supervisor.
        hurry: Stop without waiting.
    """

    def on_stop(*_: object) -> None:
        if stop.is_set():
            hurry()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _ignore(_: int) -> None:
    """Ignores the end of a process."""


@dataclass(frozen=True, slots=True)
class ManagedProcess:
    """One process to keep alive.

    Attributes:
        ready: Whether it is ready; polled after a start; must not raise.
        folder: Its working directory; the supervisor's where None.
        log: File of its output; the terminal where None.
        stop_seconds: s that it may take to stop before it is killed.
        ended: Called with the process id of each of its processes that died.
        descriptors: Open files that it inherits, by the same numbers.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    folder: Path | None = None
    log: Path | None = None
    stop_seconds: float = STOP_SECONDS
    ended: Callable[[int], None] = _ignore
    descriptors: tuple[int, ...] = ()


@dataclass(slots=True)
class _Child:
    program: ManagedProcess
    process: subprocess.Popen[bytes]
    started: float
    backoff: float = FIRST_BACKOFF_SECONDS
    restart_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Runs processes until ``stop`` is set; all methods but ``ages`` are for one thread.

    A process that dies is started again after a pause, which doubles while it dies young; one that ends with status 0
    is started again after the first pause.
    """

    stop: Event
    clock: Callable[[], float] = time.monotonic
    _children: list[_Child] = field(default_factory=list)

    def start(self, program: ManagedProcess) -> None:
        """Start a process; those started later are stopped earlier."""
        self._children.append(_Child(program, _spawn(program), self.clock()))

    def wait_ready(self, seconds: float = math.inf) -> bool:
        """Wait until every process is ready; false when stopped meanwhile.

        Raises:
            ServerUnreachable: A process died, or was not ready in time.
        """
        until = self.clock() + seconds
        for child in self._children:
            while not child.program.ready():
                if child.process.poll() is not None:
                    raise _not_up(child, f"ended with status {child.process.returncode}")
                if self.clock() > until:
                    raise _not_up(child, f"was not ready within {seconds:.0f} s")
                if self.stop.wait(_POLL_SECONDS):
                    return False
        return True

    def watch(self) -> None:
        """Restart processes that die, until ``stop`` is set."""
        while not self.stop.wait(_POLL_SECONDS):
            for child in self._children:
                self._restart(child)

    def shut_down(self, *, together: bool = False) -> None:
        """Stop every process in reverse order, or all at once, and kill those that do not stop."""
        if together:
            self.send(signal.SIGTERM)
        for child in reversed(self._children):
            _stop(child.process, child.program, asked=together)
        self._children.clear()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to every running process."""
        for child in self._children:
            child.process.send_signal(number)  # does nothing where it has ended

    def pids(self) -> dict[str, int]:
        """Name → process id."""
        return {child.program.name: child.process.pid for child in self._children}

    def ages(self) -> dict[str, float]:
        """Name → s since the start of the running processes. May be called from another thread."""
        now = self.clock()
        return {child.program.name: now - child.started for child in self._children if child.process.poll() is None}

    def _restart(self, child: _Child) -> None:
        now = self.clock()
        if child.process.poll() is None:
            return
        if child.restart_at is None:
            status = child.process.returncode
            if status == os.EX_OK or now - child.started > HEALTHY_SECONDS:  # status 0: it was asked to stop
                child.backoff = FIRST_BACKOFF_SECONDS
            child.restart_at = now + child.backoff
            _log.warning("part.died", part=child.program.name, status=status, restart_in=child.backoff)
            child.program.ended(child.process.pid)
            child.backoff = min(LONGEST_BACKOFF_SECONDS, child.backoff * 2)
        elif now >= child.restart_at:
            child.process, child.started, child.restart_at = _spawn(child.program), now, None
            _log.info("part.restarted", part=child.program.name, pid=child.process.pid)


def _spawn(program: ManagedProcess) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that Ctrl-C reaches only the supervisor, which stops all in order."""
    out: IO[bytes] | None = None
    if program.log is not None:
        program.log.parent.mkdir(parents=True, exist_ok=True)
        out = program.log.open("ab")
    try:
        return subprocess.Popen(  # noqa: S603 - our own command
            program.command, env=dict(program.environment), stdin=subprocess.DEVNULL, cwd=program.folder, umask=PRIVATE,
            stdout=out or sys.stderr, stderr=out or sys.stderr, start_new_session=True, preexec_fn=_die_with_parent,
            pass_fds=program.descriptors,
        )  # fmt: skip
    finally:
        if out is not None:
            out.close()


def _die_with_parent() -> None:
    """Have the kernel kill the process when the supervisor is killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes], program: ManagedProcess, *, asked: bool) -> None:
    if not asked:
        process.terminate()
    try:
        process.wait(program.stop_seconds)
    except subprocess.TimeoutExpired:
        _log.warning("part.killed", part=program.name, after_seconds=program.stop_seconds)
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def _not_up(child: _Child, problem: str) -> ServerUnreachable:
    where = f"; see {child.program.log}" if child.program.log else ""
    return ServerUnreachable(f"The {child.program.name} {problem}{where}.", part=child.program.name)
