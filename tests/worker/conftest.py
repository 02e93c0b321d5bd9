"""A real runner: real engine, real records in memory, a store in memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import MemoryStore
from prometheus_client import CollectorRegistry
from tests.schemas import bring_to_schema
from tests.tasks.fakes import LEASE, AllRecords, FakeClock

from facefleet import config
from facefleet.assignments import SOURCE_ROLES
from facefleet.engine.build import build_engine
from facefleet.engine.fusion import Engine
from facefleet.engine.types import ModelFiles
from facefleet.observability.metrics import Metrics
from facefleet.queue.retries import RetryPolicy
from facefleet.storage.keys import input_key
from facefleet.storage.store import ObjectStore
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.routes import choose_route
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Consent, Task
from facefleet.upkeep.retention import Retention
from facefleet.worker.engines import EngineProvider, FixedEngine
from facefleet.worker.exclusive import ExclusiveLock
from facefleet.worker.handlers.table import build_handlers
from facefleet.worker.leases import Leases
from facefleet.worker.runner import Runner


@dataclass
class Bench:
    """A runner and what is around it."""

    runner: Runner
    records: AllRecords
    store: ObjectStore
    clock: FakeClock
    metrics: Metrics
    database: Database

    def queue(
        self, source: bytes, target: bytes, *more_sources: bytes, plan: str | None = None, **options: object
    ) -> Task:
        """A committed task with its uploads."""
        task_id, now = new_id(), self.clock()
        photos = dict(zip(SOURCE_ROLES, (source, *more_sources), strict=False)) | {"target": target}
        inputs = {role: input_key("acme", task_id, role) for role in photos}
        for role, photo in photos.items():
            self.store.put(inputs[role], photo)
        task = Task.new(
            id=task_id, tenant="acme", subject="tester", kind=Kind.FUSE, route=choose_route(Kind.FUSE, "acme"),
            options=options, inputs=inputs, consent=Consent("tester", now), now=now, deadline=timedelta(hours=1),
            plan=plan,
        )  # fmt: skip
        self.records.add(task)
        return task

    def read(self, task: Task) -> Task:
        return self.records.get("acme", task.id)

    def count(self, name: str, **labels: str) -> float:
        """A sample as a scrape would show it; 0 where there is none."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def results(self) -> list[str]:
        return list(self.store.list("tenants/acme/results/"))


@pytest.fixture(scope="session")
def engine(models: Mapping[str, ModelFiles]) -> Engine:
    built = build_engine(models)
    built.warm()
    return built


@pytest.fixture(scope="session")
def photos(samples: Mapping[str, Path]) -> tuple[bytes, bytes]:
    """Two real photos that can be fused."""
    return samples["astronaut"].read_bytes(), samples["grace_hopper"].read_bytes()


Build = Callable[..., Bench]


@pytest.fixture
def build(engine: Engine) -> Iterator[Build]:
    databases: list[Database] = []

    def building(
        store: ObjectStore | None = None, engine: Engine = engine, engines: EngineProvider | None = None
    ) -> Bench:
        database = Database("sqlite://")
        databases.append(database)
        bring_to_schema(database)
        clock, kept = FakeClock(), store or ObjectStore(MemoryStore())
        records, metrics = AllRecords(database, clock), Metrics(CollectorRegistry())
        runner = Runner(
            claims=records, store=kept, handlers=build_handlers(kept, metrics, clock),
            engines=engines or FixedEngine(engine), leases=Leases(records, LEASE, clock, lambda _: None, metrics),
            lock=ExclusiveLock(lambda: False), retries=RetryPolicy(3, timedelta(seconds=2)),
            retention=Retention.build(config.Retention(), database, kept, metrics, clock), metrics=metrics,
            clock=clock, producer="acme studio", jitter=random.Random(1),
        )  # fmt: skip
        return Bench(runner, records, kept, clock, metrics, database)

    yield building
    for database in databases:
        database.close()


@pytest.fixture
def bench(build: Build) -> Bench:
    return build()
