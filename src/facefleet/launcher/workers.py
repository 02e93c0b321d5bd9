"""Worker processes side by side: started, restarted, asked and stopped as one worker.

Each is a ``facefleet worker`` of one process, with a probe on a port of its own; what they count goes to files of one
folder, where it outlives them.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from threading import Event

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from facefleet.config import Settings, environment
from facefleet.launcher.ports import HOST, free_ports, status
from facefleet.launcher.supervisor import Part, Supervisor
from facefleet.observability.logs import logger
from facefleet.worker.probe import Probe

AFTER_GRACE_SECONDS = 15.0  # to hand back, to tell the records and to close; a worker that needs longer is killed
BEGIN_SECONDS = 60.0  # until a process has to answer its probe: it imports, and may fetch the models

_log = logger(__name__)


def count(settings: Settings) -> int:
    """How many processes are wanted; where it is 0, as many as we have cores."""
    return settings.worker.processes or _cores()


def _cores() -> int:
    """Those that we may use, where the system tells (Linux)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def patience(settings: Settings) -> float:
    """s to wait for a worker that was told to stop."""
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
            ServerUnreachable: A process ended before it was ready; it has said why.
        """
        with tempfile.TemporaryDirectory(prefix="facefleet-worker-") as folder:
            probe = self._probe(Path(folder))
            try:
                for part in self._parts(Path(folder)):
                    self._supervisor.start(part)
                if self._supervisor.wait_ready():
                    _log.info("workers.ready", processes=len(self._ports))
                    self._supervisor.watch()
            finally:
                self._supervisor.shut_down(together=True)
                if probe is not None:
                    probe.stop()

    def hurry(self) -> None:
        """Told to stop a second time: do not wait for running tasks."""
        self._supervisor.send(signal.SIGTERM)

    def alive(self) -> bool:
        """Whether every process consumes, or is young; one that has died is restarted, so it is no reason to worry."""
        return all(self._consumes(name, age) for name, age in self._supervisor.ages().items())

    def ready(self) -> bool:
        """Whether every process is ready."""
        return not self._stop.is_set() and all(status(port, "/readyz") == 200 for port in self._ports.values())

    def _consumes(self, name: str, age: float) -> bool:
        found = status(self._ports[name], "/healthz")
        return found == 200 or (found is None and age < BEGIN_SECONDS)

    def _probe(self, folder: Path) -> Probe | None:
        worker = self._settings.worker
        if not worker.metrics_port:
            return None
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
        probe = Probe(worker.metrics_host, worker.metrics_port, registry, alive=self.alive, ready=self.ready)
        probe.start()
        return probe

    def _parts(self, folder: Path) -> list[Part]:
        wanted = count(self._settings)
        self._ports = {f"worker {n}": port for n, port in enumerate(free_ports(*[0] * wanted), 1)}
        return [self._part(name, port, folder) for name, port in self._ports.items()]

    def _part(self, name: str, port: int, folder: Path) -> Part:
        ours = {
            "FACEFLEET_WORKER__PROCESSES": "1",
            "FACEFLEET_WORKER__THREADS": str(self._settings.worker.threads),
            "FACEFLEET_WORKER__METRICS_HOST": HOST,
            "FACEFLEET_WORKER__METRICS_PORT": str(port),
            "PROMETHEUS_MULTIPROC_DIR": str(folder),
        }
        return Part(
            name, [sys.executable, "-m", "facefleet", "worker"], environment() | ours,
            ready=lambda: status(port, "/readyz") == 200, patience=patience(self._settings),
            ended=lambda pid: mark_process_dead(pid, str(folder)),  # type: ignore[no-untyped-call]
        )  # fmt: skip
