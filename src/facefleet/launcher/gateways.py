"""Runs several gateway processes as one gateway: one address, one set of metrics, one stop signal.

The sockets are opened here and inherited: a client waits while a process is replaced, and is never refused.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from threading import Event

from prometheus_client.multiprocess import mark_process_dead

from facefleet.config import Settings, environment
from facefleet.gateway.server import Listeners
from facefleet.launcher.loopback import http_status
from facefleet.launcher.supervisor import ManagedProcess, Supervisor, process_count
from facefleet.observability.logs import configure, logger
from facefleet.observability.metrics import SHARED_FOLDER

_log = logger(__name__)


class Gateways:
    """Several processes behind one address.

    Args:
        settings: Those of each process, and how many there are.
        stop: Set from outside to end ``run``.
    """

    def __init__(self, settings: Settings, stop: Event) -> None:
        self._settings = settings
        self._supervisor = Supervisor(stop)

    def run(self) -> None:
        """Keep the processes alive until told to stop; then let them finish their requests, all at once.

        Raises:
            ConfigInvalid: An address is not ours, or taken.
            ServerUnreachable: The first process ended before it answered; its log says why.
        """
        configure(self._settings.logs.level, self._settings.logs.format)
        with (
            tempfile.TemporaryDirectory(prefix="facefleet-gateway-") as folder,
            closing(Listeners.open(self._settings.gateway)) as listeners,
        ):
            wanted = process_count(self._settings.gateway.processes)
            first, *others = [self._process(number, listeners, Path(folder)) for number in range(1, wanted + 1)]
            try:
                # What keeps one from starting keeps all: the first shows it, and makes what is made once.
                self._supervisor.start(first)
                if self._supervisor.wait_ready():
                    for process in others:
                        self._supervisor.start(process)
                    _log.info("gateways.started", processes=wanted)
                    self._supervisor.watch()
            finally:
                self._supervisor.shut_down(together=True)

    def hurry(self) -> None:
        """Stop without waiting for open requests, after a second stop signal."""
        self._supervisor.send(signal.SIGINT)

    def _process(self, number: int, listeners: Listeners, folder: Path) -> ManagedProcess:
        descriptors = listeners.descriptors()
        inherited = [argument for each in descriptors for argument in ("--listeners", str(each))]
        host, port = listeners.http.getsockname()[:2]
        own = {
            "FACEFLEET_GATEWAY__HOST": self._settings.gateway.host,
            "FACEFLEET_GATEWAY__PORT": str(port),
            SHARED_FOLDER: str(folder),
        }
        return ManagedProcess(
            f"gateway {number}", [sys.executable, "-m", "facefleet", "gateway", *inherited], environment() | own,
            ready=lambda: self._answers(_reachable(host), port),
            ended=lambda pid: mark_process_dead(pid, str(folder)),  # type: ignore[no-untyped-call]
            descriptors=descriptors,
        )  # fmt: skip

    def _answers(self, host: str, port: int) -> bool:
        return http_status(port, "/healthz", self._settings.gateway.tls_cert_file, host) == 200


def _reachable(host: str) -> str:
    """Where to ask a program that listens on this address, which may stand for all."""
    address = ip_address(host)
    return {4: "127.0.0.1", 6: "::1"}[address.version] if address.is_unspecified else host
