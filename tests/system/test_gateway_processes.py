"""Several processes behind one gateway: one address, one set of counts, and a client that is never refused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
from tests.servers import alive, free_port, wait_until
from tests.system.conftest import IMPATIENT, Running

from facefleet.config import environment
from facefleet.tasks.transitions import State

pytestmark = [
    pytest.mark.needs_server,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="tells processes apart by /proc"),
]

PROCESSES = 3


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose gateway has three processes."""
    with pytest.MonkeyPatch.context() as patch:
        own = {"FACEFLEET_GATEWAY__PROCESSES": str(PROCESSES)}
        for name, value in (IMPATIENT | own).items():
            patch.setenv(name, value)
        running = Running(tmp_path_factory.mktemp("gateways") / "data")
    yield running
    children = processes(running)
    running.close()
    wait_until(lambda: not any(map(alive, children)), "every process has ended")


def processes(service: Running) -> list[int]:
    pid = service.pids()["gateway"]
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def all_up(service: Running) -> bool:
    return len(processes(service)) == PROCESSES


def get(service: Running, path: str) -> httpx.Response:
    """Ask on a connection of its own: any process may answer."""
    return httpx.get(service.addresses.gateway + path, timeout=30.0, trust_env=False)


def sample(text: str, name: str) -> float:
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


def test_they_work_and_are_counted_as_one(trio: Running, photos: tuple[bytes, bytes]) -> None:
    wait_until(lambda: all_up(trio), "all are up", 30.0)
    name = "facefusion_requests_total"
    before = sample(get(trio, "/metrics").text, name)
    for _ in range(20):
        url = trio.addresses.gateway + "/v1/fuse"
        assert httpx.post(url, data={"consent": "true"}, timeout=30.0, trust_env=False).status_code in (400, 422)
    shown = [get(trio, "/metrics").text for _ in range(6)]  # whichever process answers
    assert all(sample(text, name) - before >= 20 for text in shown)
    assert all("facefusion_queue_oldest_seconds" in text for text in shown)  # what is read at a scrape, in each
    accepted = trio.client.fuse(*photos, consent=True)
    assert trio.finish(accepted).state is State.SUCCEEDED


def test_a_killed_one_is_replaced_and_nobody_is_refused(trio: Running) -> None:
    wait_until(lambda: all_up(trio), "all are up", 30.0)
    refused: list[str] = []
    done = Event()

    def ask() -> None:
        while not done.is_set():
            try:
                get(trio, "/healthz")
            except httpx.ConnectError as error:
                refused.append(str(error))
            except httpx.TransportError:
                pass  # it was being answered by the one that was killed

    asking = Thread(target=ask)
    asking.start()
    before = processes(trio)
    os.kill(before[-1], signal.SIGKILL)
    wait_until(lambda: len(set(processes(trio)) - {before[-1]}) == PROCESSES, "another takes its place", 30.0)
    done.set()
    asking.join()
    assert refused == []
    assert set(before[:-1]) < set(processes(trio))


def test_they_stop_as_one(trio: Running) -> None:
    wait_until(lambda: all_up(trio), "all are up", 30.0)
    pid, children = trio.pids()["gateway"], processes(trio)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not any(map(alive, children)), "all have ended", 30.0)
    wait_until(lambda: trio.pids()["gateway"] != pid and all_up(trio), "a new gateway is there", 60.0)


def test_one_that_cannot_start_ends_the_gateway_and_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "facefleet", "gateway", "--processes", "2", "--port", str(free_port())]
    variables = environment() | {"FACEFLEET_DATA": str(tmp_path), "FACEFLEET_LOGS__FORMAT": "json"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "facefleet migrate" in done.stderr


def test_listeners_are_for_its_own_processes() -> None:
    command = [sys.executable, "-m", "facefleet", "gateway", "--listeners", "77"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, "--listeners" in done.stderr) == (1, True)
