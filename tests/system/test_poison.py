"""A photo that crashes the process of its worker takes nobody down with it for ever, its neighbours least of all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.system.conftest import Running

from facefleet.errors.task import WorkerLost
from facefleet.tasks.transitions import State

pytestmark = pytest.mark.needs_server

MARKER = b"poisonous photo"

# Runs at the start of every interpreter of the service; in the worker, a crash in native code is put into the engine.
POISON = f"""
import os, sys, time
if "worker" in sys.orig_argv:
    from facefleet.engine.fusion import Engine
    fuse, inside = Engine.fuse, []
    def poisoned(self, source, *arguments, **options):
        if {MARKER!r} in source:
            until = time.monotonic() + 2
            while not inside and time.monotonic() < until:  # a neighbour is to be in the middle of its own run
                time.sleep(0.005)
            os.abort()
        inside.append(source)
        try:
            return fuse(self, source, *arguments, **options)
        finally:
            inside.pop()
    Engine.fuse = poisoned
"""


@pytest.fixture
def poisoned(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a service that poison can crash."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("FACEFLEET_WORKER__THREADS", "2")
    monkeypatch.setenv("FACEFLEET_WORKER__LEASE", "1")
    return data


def test_poison_ends_as_worker_lost_and_its_neighbours_succeed_once(
    poisoned: Path, photos: tuple[bytes, bytes]
) -> None:
    source, target = photos
    service = Running(poisoned)
    try:
        sources = [source + MARKER, source, source, source]
        accepted = [service.client.fuse(one, target, consent=True) for one in sources]
        poison = accepted[0].id
        tasks = [service.finish(one) for one in accepted[1:]]
        assert [task.state for task in tasks] == [State.SUCCEEDED] * 3
        with pytest.raises(WorkerLost):
            service.finish(accepted[0])
        lost = service.task(poison)
        assert (lost.state, lost.fence) == (State.FAILED, 3)
        assert lost.failure is not None
        assert (lost.failure.code, lost.failure.detail) == ("worker_lost", {"lost": 3})
        for task in tasks:
            assert service.results(task.id) == [str(task.fence)]
            assert task.lost <= 2, "whoever waited while the poison ran alone lost nothing by it"
        lines = [json.loads(line) for line in service.log("worker").splitlines() if line.startswith("{")]
        runs = [(line["task_id"], line["alone"]) for line in lines if line["event"] == "task.claimed"]
        assert [alone for task_id, alone in runs if task_id == poison] == [False, False, True]
        assert any(task.lost for task in tasks), "the poison met no neighbour; it tested nothing"
    finally:
        service.close()
