"""Runs the command line in forks of one process that has imported everything: a start costs ms instead of a second.

A run is a process of its own, with streams, folder, environment and exit status of its own; only the imports are done
before. What an interpreter reads at its start (``PYTHON…``) needs a real start.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import BinaryIO, NoReturn

ROOMS = (
    "cli",
    "client",
    "doctor",
    "engine",
    "media",
    "observability",
    "storage",
    "tasks",
    "queue",
    "safety",
    "upkeep",
    "worker",
)


class Template:
    """The process that forks; started with the first run, ended with ``close``."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run ``facefleet`` with these arguments, nothing on stdin.

        Raises:
            TimeoutExpired: It did not end in time, and was killed.
        """
        ours, theirs = socket.socketpair()
        out, err = os.pipe(), os.pipe()
        with ours, os.fdopen(out[0], "rb") as stdout, os.fdopen(err[0], "rb") as stderr:
            with theirs, self._lock:
                socket.send_fds(self._started(), [b"x"], [theirs.fileno(), out[1], err[1]])
            os.close(out[1])
            os.close(err[1])
            order = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
            ours.sendall(json.dumps(order).encode() + b"\n")
            answers = ours.makefile("rb")
            pid = int(answers.readline())
            with ThreadPoolExecutor(2) as threads:
                texts = [threads.submit(_text, stream) for stream in (stdout, stderr)]
                ours.settimeout(seconds)
                try:
                    status = int(answers.readline())
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(list(arguments), seconds) from None
                return subprocess.CompletedProcess(list(arguments), status, *(text.result() for text in texts))

    def close(self) -> None:
        """End it."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait(10)

    def _started(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                command = [sys.executable, "-m", "tests.forks", str(theirs.fileno())]
                self._process = subprocess.Popen(
                    command, cwd=Path(__file__).parents[1], pass_fds=[theirs.fileno()], start_new_session=True
                )
        return self._control


def _text(stream: BinaryIO) -> str:
    return stream.read().decode().replace("\r\n", "\n")


def _serve(control: socket.socket) -> Callable[[], int]:
    """Fork for each order; returns in the fork, with what it has to do, and exits when nobody orders any more."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 3)
        if not message:
            sys.exit(0)
        if os.fork() == 0:
            control.close()
            return _attend(socket.socket(fileno=descriptors[0]), *descriptors[1:])
        for descriptor in descriptors:
            os.close(descriptor)
        _reap()


def _reap() -> None:
    """Attendants that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def _attend(client: socket.socket, out: int, err: int) -> Callable[[], int]:
    """Fork the run, tell its id and its exit status; returns in the run."""
    order = json.loads(client.makefile("rb").readline())
    pid = os.fork()
    if pid == 0:
        client.close()
        return lambda: _run(order, out, err)
    os.close(out)
    os.close(err)
    client.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _run(order: dict[str, list[str] | str | dict[str, str]], out: int, err: int) -> int:
    """As the console script does, in a process that looks as if just started."""
    from facefleet.cli.main import main

    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, standard in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(ours, standard)
        os.close(ours)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)), errors="backslashreplace", line_buffering=True
    )
    arguments, folder, environment = order["arguments"], order["folder"], order["environment"]
    assert isinstance(arguments, list)
    assert isinstance(folder, str)
    assert isinstance(environment, dict)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[:] = ["facefleet", *arguments]
    return main()


def _import_everything() -> None:
    """Importing a module opens nothing and starts nothing, so a fork of it is as good as a new process."""
    for room in ROOMS:
        package = importlib.import_module(f"facefleet.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name:  # those run when Alembic loads them
                importlib.import_module(module.name)


def _end(status: int) -> NoReturn:
    """End a fork as an interpreter ends, except that it does not free one by one what the kernel frees at once.

    To take all modules apart would copy every page of the template's, which takes longer than a real start.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads as the interpreter does
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _import_everything()
    gc.freeze()  # a collection in a fork leaves the template's objects, and so their pages, alone
    _end(_serve(socket.socket(fileno=int(sys.argv[1])))())
