"""Runs several worker processes as one worker: one probe, one set of metrics, one stop signal.

Each is a ``facefleet worker`` of one process, with a probe on a port of its own; its counters are files in a shared
folder, which outlive it.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from threading import Event

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from facefleet.config import Settings, environment
from facefleet.launcher.loopback import HOST, free_ports, http_status
from facefleet.launcher.supervisor import ManagedProcess, Supervisor, process_count
from facefleet.observability.logs import logger
from facefleet.observability.metrics import SHARED_FOLDER
from facefleet.worker.probe import Probe

AFTER_GRACE_SECONDS = 15.0  # to hand tasks back, write the records and close; a worker that needs longer is killed
BEGIN_SECONDS = 60.0  # until a process has to answer its probe: it imports, and may fetch the models

_log = logger(__name__)


def stop_seconds(settings: Settings) -> float:
    """How long to wait for a worker to stop, s."""
    return settings.worker.grace + AFTER_GRACE_SECONDS


class Workers:
    """Several processes behind one probe address.

    Args:
        settings: Those of one process, and how many there are.
        stop: Set from outside to end ``run``.
    """

    def __init__(self, settings: Settings, stop: Event) -> None:
        self._settings = settings
        self._stop = stop
        self._supervisor = Supervisor(stop)
        self._ports: dict[str, int] = {}

    def run(self) -> None:
        """Keep the processes alive until told to stop; then let them drain, all at once.

        Raises:
            ConfigInvalid: The probe's address is taken.
            ServerUnreachable: A process ended before it was ready; its log says why.
        """
        with tempfile.TemporaryDirectory(prefix="facefleet-worker-") as folder:
            probe = self._probe(Path(folder))
            try:
                for process in self._processes(Path(folder)):
                    self._supervisor.start(process)
                if self._supervisor.wait_ready():
                    _log.info("workers.ready", processes=len(self._ports))
                    self._supervisor.watch()
            finally:
                self._supervisor.shut_down(together=True)
                if probe is not None:
                    probe.stop()

    def hurry(self) -> None:
        """Stop without waiting for running tasks, after a second stop signal."""
        self._supervisor.send(signal.SIGTERM)

    def alive(self) -> bool:
        """Whether every running process consumes or has just started; one that died is being restarted."""
        return all(self._consumes(name, age) for name, age in self._supervisor.ages().items())

    def ready(self) -> bool:
        """Whether every process is ready."""
        return not self._stop.is_set() and all(http_status(port, "/readyz") == 200 for port in self._ports.values())

    def _consumes(self, name: str, age: float) -> bool:
        answered = http_status(self._ports[name], "/healthz")
        return answered == 200 or (answered is None and age < BEGIN_SECONDS)

    def _probe(self, folder: Path) -> Probe | None:
        worker = self._settings.worker
        if not worker.metrics_port:
            return None
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
        probe = Probe(worker.metrics_host, worker.metrics_port, registry, alive=self.alive, ready=self.ready)
        probe.start()
        return probe

    def _processes(self, folder: Path) -> list[ManagedProcess]:
        wanted = process_count(self._settings.worker.processes)
        self._ports = {f"worker {n}": port for n, port in enumerate(free_ports(*[0] * wanted), 1)}
        return [self._process(name, port, folder) for name, port in self._ports.items()]

    def _process(self, name: str, port: int, folder: Path) -> ManagedProcess:
        own = {
            "FACEFLEET_WORKER__PROCESSES": "1",
            "FACEFLEET_WORKER__THREADS": str(self._settings.worker.threads),
            "FACEFLEET_WORKER__METRICS_HOST": HOST,
            "FACEFLEET_WORKER__METRICS_PORT": str(port),
            SHARED_FOLDER: str(folder),
        }
        return ManagedProcess(
            name, [sys.executable, "-m", "facefleet", "worker"], environment() | own,
            ready=lambda: http_status(port, "/readyz") == 200, stop_seconds=stop_seconds(self._settings),
            ended=lambda pid: mark_process_dead(pid, str(folder)),  # type: ignore[no-untyped-call]
        )  # fmt: skip
