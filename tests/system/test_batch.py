"""A batch whose worker is killed half way: every item is done, and once."""

from __future__ import annotations

import io
import json
import os
import signal
from typing import Any
from zipfile import ZipFile

import pytest
from tests.servers import wait_until
from tests.system.conftest import Running

from facefleet.storage.keys import result_key
from facefleet.tasks.transitions import State

pytestmark = [pytest.mark.needs_server, pytest.mark.system]

ITEMS = 12


def test_a_batch_survives_its_worker(service: Running, small: tuple[bytes, bytes]) -> None:
    source, target = small
    files = [("source", source), *[("target", target)] * ITEMS]
    answer = service.http.post("/v1/batches", files=files, data={"consent": "true"})
    assert answer.status_code == 202, answer.text
    made = answer.json()

    def counts() -> Any:
        return service.http.get(made["links"]["self"]).json()["counts"]

    wait_until(lambda: counts()["succeeded"] >= 2 and counts()["running"] > 0, "it is half way", 30.0)
    pid = service.pids()["worker"]
    os.kill(pid, signal.SIGKILL)
    half_way = counts()
    assert half_way["succeeded"] < ITEMS, "the worker was too fast; it tested nothing"
    wait_until(lambda: counts()["succeeded"] == ITEMS, "every item succeeds", 60.0)
    assert service.http.get(made["links"]["self"]).json()["status"] == "ended"
    ids = [one["task_id"] for one in service.http.get(made["links"]["tasks"]).json()["tasks"]]
    tasks = [service.task(task_id) for task_id in ids]
    assert [task.item for task in tasks] == list(range(ITEMS))
    assert {(task.state, task.failures) for task in tasks} == {(State.SUCCEEDED, 0)}
    assert sum(task.lost for task in tasks) > 0, "no item lost its worker; it tested nothing"
    for task in tasks:
        assert task.result == result_key(task.tenant, task.id, task.fence)
        # One that was killed between storing and telling leaves its own, which goes as an orphan.
        others = set(service.results(task.id)) - {str(task.fence)}
        assert len(others) <= task.lost
    file = ZipFile(io.BytesIO(service.http.get(made["links"]["results"]).content))
    assert file.testzip() is None
    assert [row["file"] for row in json.loads(file.read("results.json"))] == [f"{n:04d}.jpg" for n in range(ITEMS)]
