"""Several processes behind one worker: what they count, lose and finish is told as one."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.servers import alive, wait_until
from tests.system.conftest import IMPATIENT, Running

from facefleet.config import environment
from facefleet.tasks.transitions import State

pytestmark = [
    pytest.mark.needs_server,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="tells processes apart by /proc"),
]

Photos = tuple[bytes, bytes]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose worker has two processes; what the tests end in it comes back by itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (IMPATIENT | {"FACEFLEET_WORKER__PROCESSES": "2"}).items():
            patch.setenv(name, value)
        running = Running(tmp_path_factory.mktemp("processes") / "data")
    yield running
    children = processes(running)
    running.close()
    wait_until(lambda: not any(map(alive, children)), "every process has ended")


@pytest.fixture
def pair(shared: Running) -> Running:
    """The service with both processes up."""
    wait_until(lambda: up(shared), "both processes are up", 60.0)
    return shared


def up(service: Running) -> bool:
    try:
        return ask(service, "/readyz") == 200 and sample(service, "facefusion_worker_slots") == 4
    except httpx.TransportError:  # the worker as a whole is away
        return False


def processes(service: Running) -> list[int]:
    pid = service.pids()["worker"]
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ask(service: Running, path: str) -> int:
    return httpx.get(service.addresses.worker + path, timeout=10.0, trust_env=False).status_code


def sample(service: Running, name: str) -> float:
    text = httpx.get(f"{service.addresses.worker}/metrics", timeout=10.0, trust_env=False).text
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


def finish(service: Running, photos: Photos, count: int) -> set[str]:
    accepted = [service.client.fuse(*photos, consent=True) for _ in range(count)]
    assert [service.finish(one).state for one in accepted] == [State.SUCCEEDED] * count
    return {one.id for one in accepted}


def test_both_work_and_are_counted_as_one(pair: Running, photos: Photos) -> None:
    before = sample(pair, "facefusion_process_seconds_count")
    ids = finish(pair, photos, 8)
    assert sample(pair, "facefusion_worker_slots") == 4
    assert sample(pair, "facefusion_process_seconds_count") - before == 8
    lines = [json.loads(line) for line in pair.log("worker").splitlines() if '"task.succeeded"' in line]
    assert {line["pid"] for line in lines if line["task_id"] in ids} == set(processes(pair))


def test_a_killed_one_comes_back_and_what_it_counted_stays(pair: Running, photos: Photos, small: Photos) -> None:
    before = sample(pair, "facefusion_process_seconds_count")
    finish(pair, small, 6)
    accepted = [pair.client.fuse(*photos, consent=True) for _ in range(4)]
    first, second = processes(pair)
    wait_until(lambda: sample(pair, "facefusion_worker_in_flight") == 4, "both are busy", 30.0)
    os.kill(first, signal.SIGKILL)
    assert [pair.finish(one).state for one in accepted] == [State.SUCCEEDED] * 4
    wait_until(lambda: ask(pair, "/readyz") == 200, "it is back", 30.0)
    assert second in processes(pair)
    assert first not in processes(pair)
    wait_until(lambda: sample(pair, "facefusion_worker_slots") == 4, "only the living have slots")
    wait_until(lambda: sample(pair, "facefusion_worker_in_flight") == 0, "only the living have tasks in flight")
    assert sample(pair, "facefusion_process_seconds_count") - before >= 10
    assert ask(pair, "/healthz") == 200


@pytest.mark.system
def test_sigterm_drains_all_at_once(pair: Running, photos: Photos) -> None:
    accepted = [pair.client.fuse(*photos, consent=True) for _ in range(6)]
    wait_until(lambda: sample(pair, "facefusion_worker_in_flight") == 4, "both are busy", 30.0)
    pid, children, began = pair.pids()["worker"], processes(pair), time.monotonic()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: pair.pids()["worker"] != pid, "the worker has left", 40.0)
    assert time.monotonic() - began < pair.settings.worker.grace
    assert not any(map(alive, children))
    tasks = [pair.finish(one) for one in accepted]
    assert [(task.state, task.fence, task.failures, task.lost) for task in tasks] == [(State.SUCCEEDED, 1, 0, 0)] * 6


@pytest.mark.system
def test_a_second_signal_hands_back_at_once(pair: Running, photos: Photos) -> None:
    accepted = [pair.client.fuse(*photos, consent=True) for _ in range(4)]
    wait_until(lambda: sample(pair, "facefusion_worker_in_flight") == 4, "both are busy", 30.0)
    pid, before = pair.pids()["worker"], pair.log("worker")
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: pair.log("worker").count("worker.leaving") == before.count("worker.leaving") + 2, "both drain")
    os.kill(pid, signal.SIGTERM)
    handed_back = before.count("task.handed_back")
    wait_until(lambda: pair.log("worker").count("task.handed_back") > handed_back, "tasks are handed back")
    tasks = [pair.finish(one) for one in accepted]
    assert {(task.state, task.failures, task.lost) for task in tasks} == {(State.SUCCEEDED, 0, 0)}


def test_sighup_without_a_terminal_ends_nothing(pair: Running, photos: Photos) -> None:
    before = (pair.pids()["worker"], processes(pair))
    accepted = [pair.client.fuse(*photos, consent=True) for _ in range(2)]
    os.kill(pair.pids()["worker"], signal.SIGHUP)
    for child in processes(pair):
        os.kill(child, signal.SIGHUP)
    assert [(task.fence, task.lost) for task in map(pair.finish, accepted)] == [(1, 0)] * 2
    assert (pair.pids()["worker"], processes(pair)) == before


def test_one_that_hangs_is_told_by_the_probe(pair: Running) -> None:
    assert ask(pair, "/healthz") == 200
    hangs = processes(pair)[0]
    os.kill(hangs, signal.SIGSTOP)
    try:
        wait_until(lambda: ask(pair, "/healthz") == 503, "the probe tells", 30.0)
        assert ask(pair, "/readyz") == 503
    finally:
        os.kill(hangs, signal.SIGCONT)
    wait_until(lambda: ask(pair, "/healthz") == 200, "it answers again")


def test_none_outlives_a_killed_supervisor(pair: Running, small: Photos) -> None:
    children = processes(pair)
    os.kill(pair.pids()["worker"], signal.SIGKILL)
    wait_until(lambda: not any(map(alive, children)), "its processes have ended")
    finish(pair, small, 2)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_taken_address_is_a_typed_error(pair: Running, processes: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        variables = {
            "FACEFLEET_DATA": str(pair.settings.data), "FACEFLEET_WORKER__METRICS_PORT": port,
            "FACEFLEET_WORKER__PROCESSES": str(processes),
        }  # fmt: skip
        ended = subprocess.run(
            [sys.executable, "-m", "facefleet", "worker"], env=environment() | variables,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert ended.returncode == 1
    assert "[config_invalid]" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_processes_that_cannot_start_end_the_worker(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "facefleet", "worker", "--processes", "2"],
        env=environment() | {"FACEFLEET_DATA": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "facefleet migrate" in ended.stderr
    assert "Traceback" not in ended.stderr
