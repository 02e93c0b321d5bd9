"""The whole service, started as a user starts it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event, Thread

import cv2
import httpx
import numpy as np
import pytest
from tests.servers import alive, wait_until
from tests.tasks.fakes import AllRecords

from facefleet.client import Client
from facefleet.client import Task as Handle
from facefleet.clock import now
from facefleet.config import Settings, load
from facefleet.launcher.embedded import Addresses, Service
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task

LEASE_SECONDS = 2.0


# Of a service that hardly waits: whatever dies is missed within seconds, not minutes.
IMPATIENT = {
    "FACEFLEET_WORKER__LEASE": str(LEASE_SECONDS), "FACEFLEET_SWEEPER__INTERVAL": "0.2",
    "FACEFLEET_SWEEPER__GRACE": "2", "FACEFLEET_LOGS__FORMAT": "json",
}  # fmt: skip


class Running:
    """A service that is up, its parts by name, and its records as the service sees them."""

    def __init__(self, data: Path) -> None:
        self.settings: Settings = load(data=data, gateway={"port": 0})
        self._stop = Event()
        self._service = Service(self.settings, self._stop, logs=data / "logs")
        found = self._service.start()
        assert found is not None
        self.addresses: Addresses = found
        self.database = Database(self.settings.records_url)
        self.records = AllRecords(self.database, now)
        self.http = httpx.Client(base_url=found.gateway, trust_env=False, timeout=30.0)
        self.client = Client(found.gateway, http=self.http)
        self._watch = Thread(target=self._service.run)
        self._watch.start()

    def close(self) -> None:
        self.http.close()
        self.database.close()
        self._stop.set()
        self._watch.join()
        self._service.close()

    def pids(self) -> dict[str, int]:
        return self._service.pids()

    def kill(self, part: str) -> None:
        """As the kernel would, without a word."""
        os.kill(self.pids()[part], signal.SIGKILL)

    def task(self, task_id: str) -> Task:
        return self.records.get("local", task_id)

    def results(self, task_id: str) -> list[str]:
        folder = self.settings.data / "objects" / "tenants" / "local" / "results" / task_id
        return sorted(path.name for path in folder.iterdir())

    def log(self, part: str) -> str:
        return (self.settings.data / "logs" / f"{part}.log").read_text()

    def finish(self, accepted: Handle, seconds: float = 60.0) -> Task:
        """Wait for a task as a client does."""
        self.client.task(accepted.id).wait(seconds)  # it may be another run of the service that took it
        return self.task(accepted.id)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, and settings short enough for a test."""
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "data"


@pytest.fixture
def service(data: Path) -> Iterator[Running]:
    running = Running(data)
    yield running
    pids = running.pids()
    running.close()
    wait_until(lambda: not any(map(alive, pids.values())), "every part has ended")


@pytest.fixture(scope="session")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for the tests that know what was before them; a start takes as long as most of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IMPATIENT.items():
            patch.setenv(name, value)
        running = Running(tmp_path_factory.mktemp("lasting") / "data")
    pids = running.pids()
    yield running
    pids |= running.pids()
    running.close()
    wait_until(lambda: not any(map(alive, pids.values())), "every part has ended")


@pytest.fixture
def healed(lasting: Running) -> Running:
    """A service that earlier tests have hurt, and that is whole again."""
    wait_until(lambda: whole(lasting), "every part is back", 60.0)
    return lasting


def whole(service: Running) -> bool:
    """Whether gateway and worker take work."""
    try:
        answers = [service.http.get(f"{url}/readyz") for url in (service.addresses.gateway, service.addresses.worker)]
    except httpx.TransportError:
        return False
    return all(answer.is_success for answer in answers)


@pytest.fixture(scope="session")
def photos(samples: Mapping[str, Path]) -> tuple[bytes, bytes]:
    """A real source, and a real target so large that its task can be caught running."""
    target = cv2.imread(str(samples["grace_hopper"]))
    assert target is not None
    large = np.asarray(cv2.resize(target, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))
    done, data = cv2.imencode(".png", large)
    assert done
    return samples["astronaut"].read_bytes(), data.tobytes()


@pytest.fixture(scope="session")
def small(samples: Mapping[str, Path]) -> tuple[bytes, bytes]:
    """A real pair that takes as little time as a real pair can."""
    return samples["portrait_man"].read_bytes(), samples["grace_hopper"].read_bytes()
