"""A task's pinned models are those of the engine that ran it, whenever another engine is put in its place."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from obstore.store import MemoryStore
from tests.servers import wait_until
from tests.tasks.fakes import AllRecords
from tests.worker.conftest import Bench, Build

from facefleet.engine.build import build_engine
from facefleet.engine.fusion import Engine
from facefleet.engine.types import ModelFiles
from facefleet.storage.store import ObjectStore
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State
from facefleet.worker.engines import EngineLease


class SwappableEngines:
    """Lends the engine that was put in last."""

    def __init__(self, engine: Engine) -> None:
        self.current = engine

    def lease(self) -> EngineLease:
        return EngineLease(self.current, self.current.versions)


class SwapAtLoad(ObjectStore):
    """Puts another engine in while a run loads its photos."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.engines: SwappableEngines | None = None
        self.newer: Engine | None = None

    def get(self, key: str) -> bytes:
        if self.engines is not None and self.newer is not None:
            self.engines.current = self.newer
        return super().get(key)


@pytest.fixture(scope="module")
def newer(models: Mapping[str, ModelFiles]) -> Engine:
    """The same weights under another version."""
    return build_engine({name: replace(model, version=f"{model.version}-newer") for name, model in models.items()})


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """The engines that fused, in their order."""
    engines, fuse = [], Engine.fuse

    def recording(self: Engine, *arguments: Any, **options: Any) -> Any:
        engines.append(self)
        return fuse(self, *arguments, **options)

    monkeypatch.setattr(Engine, "fuse", recording)
    return engines


def succeeded(bench: Bench, task: Task) -> Task:
    done = bench.read(task)
    assert done.state is State.SUCCEEDED
    return done


@pytest.fixture
def engines(engine: Engine, newer: Engine) -> SwappableEngines:
    assert engine.versions != newer.versions
    return SwappableEngines(engine)


def test_swapped_while_the_message_waits_for_its_turn_the_newer_engine_runs_and_is_pinned(
    build: Build, engines: SwappableEngines, newer: Engine, ran: list[Engine], photos: tuple[bytes, bytes]
) -> None:
    bench = build(engines=engines)
    task = bench.queue(*photos)
    with ThreadPoolExecutor(1) as threads:
        with bench.runner.lock.exclusive():
            run = threads.submit(bench.runner, task.id)
            wait_until(lambda: bench.runner.lock.waiting == 1, "the message waits")
            engines.current = newer
        run.result(timeout=30)
    assert ran == [newer]
    assert succeeded(bench, task).models == newer.versions


def test_swapped_between_lease_and_claim_the_leased_engine_runs_and_is_pinned(
    build: Build, engines: SwappableEngines, engine: Engine, newer: Engine, ran: list[Engine],
    photos: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    bench, claim = build(engines=engines), AllRecords.claim

    def swap_and_claim(self: AllRecords, *arguments: Any, **options: Any) -> Task | None:
        engines.current = newer
        return claim(self, *arguments, **options)

    monkeypatch.setattr(AllRecords, "claim", swap_and_claim)
    first, second = bench.queue(*photos), bench.queue(*photos)
    for task in (first, second):
        bench.runner(task.id)
    assert ran == [engine, newer], "who comes later gets the newer one"
    assert succeeded(bench, first).models == engine.versions
    assert succeeded(bench, second).models == newer.versions


def test_swapped_during_the_run_the_leased_engine_ends_it_and_stays_pinned(
    build: Build, engines: SwappableEngines, engine: Engine, newer: Engine, ran: list[Engine],
    photos: tuple[bytes, bytes],
) -> None:  # fmt: skip
    store = SwapAtLoad()
    bench = build(store, engines=engines)
    store.engines, store.newer = engines, newer
    task = bench.queue(*photos)
    bench.runner(task.id)
    assert engines.current is newer
    assert ran == [engine]
    assert succeeded(bench, task).models == engine.versions
