"""A worker that is told to leave loses nothing and spends no budget."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.servers import wait_until
from tests.system.conftest import Running

from facefleet.client import Task as Handle
from facefleet.tasks.transitions import State

pytestmark = pytest.mark.needs_server

Photos = tuple[bytes, bytes]


@pytest.fixture
def data(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody dies here, so no lease need end soon; on a machine with much to do a heartbeat can be late by seconds."""
    monkeypatch.setenv("FACEFLEET_WORKER__LEASE", "20")
    return data


def submit(service: Running, photos: Photos, count: int) -> list[Handle]:
    return [service.client.fuse(*photos, consent=True) for _ in range(count)]


def wait_running(service: Running, accepted: list[Handle]) -> None:
    ids = [one.id for one in accepted]
    wait_until(lambda: any(service.task(i).state is State.RUNNING for i in ids), "a task runs", 30.0)


def restarted(service: Running, pid: int) -> bool:
    return service.pids()["worker"] != pid


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=[pytest.mark.system, pytest.mark.timeout(600)])])
def test_sigterm_lets_running_tasks_finish_and_loses_none(service: Running, photos: Photos, rounds: int) -> None:
    for _ in range(rounds):
        accepted = submit(service, photos, 4)
        wait_running(service, accepted)
        pid, began = service.pids()["worker"], time.monotonic()
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: restarted(service, pid), "the worker has left", 30.0)  # noqa: B023 - used at once
        assert time.monotonic() - began < service.settings.worker.grace
        tasks = [service.finish(one) for one in accepted]
        assert [(task.state, task.fence, task.failures, task.lost) for task in tasks] == [
            (State.SUCCEEDED, 1, 0, 0)
        ] * 4
        assert all(service.results(task.id) == ["1"] for task in tasks)


def test_what_does_not_finish_within_the_grace_is_handed_back(
    data: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEFLEET_WORKER__GRACE", "0.01")
    service = Running(data)
    try:
        accepted = submit(service, photos, 4)
        wait_running(service, accepted)
        pid = service.pids()["worker"]
        os.kill(pid, signal.SIGTERM)
        tasks = [service.finish(one) for one in accepted]
        assert {(task.state, task.failures, task.lost) for task in tasks} == {(State.SUCCEEDED, 0, 0)}
        assert {task.fence for task in tasks} == {1, 2}  # 2: taken once, handed back, taken again
        assert all(service.results(task.id) == [str(task.fence)] for task in tasks)
        assert "task.handed_back" in service.log("worker")
    finally:
        service.close()


def test_sighup_without_a_terminal_restarts_nothing(service: Running, photos: Photos) -> None:
    accepted = submit(service, photos, 2)
    wait_running(service, accepted)
    pid = service.pids()["worker"]
    os.kill(pid, signal.SIGHUP)
    tasks = [service.finish(one) for one in accepted]
    assert [(task.fence, task.lost) for task in tasks] == [(1, 0)] * 2
    assert service.pids()["worker"] == pid
    assert service.log("worker").count("worker.ready") == 1
