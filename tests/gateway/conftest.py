"""A real gateway on real records, a real store and a real broker; requests go through every layer of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import cv2
import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from tests.schemas import bring_to_schema
from tests.servers import ValkeyServer, wait_until
from tests.tasks.fakes import AllRecords

from facefleet import config
from facefleet.clock import now
from facefleet.config import Settings, load
from facefleet.engine.build import build_engine
from facefleet.engine.fusion import Engine
from facefleet.engine.types import ModelFiles
from facefleet.gateway.app import create
from facefleet.gateway.parts import Parts
from facefleet.gateway.server import Server, listen
from facefleet.gateway.tls import OwnCertificate
from facefleet.gateway_settings import Gateway
from facefleet.observability.metrics import Metrics
from facefleet.queue.retries import RetryPolicy
from facefleet.storage.store import Store
from facefleet.tasks.records.listing import Listing, TaskFilter
from facefleet.tasks.tables.database import Database
from facefleet.tasks.transitions import State
from facefleet.upkeep.retention import Retention
from facefleet.worker.engines import FixedEngine
from facefleet.worker.exclusive import ExclusiveLock
from facefleet.worker.handlers.table import build_handlers
from facefleet.worker.leases import Leases
from facefleet.worker.runner import Runner

Upload = tuple[str, bytes]
GATEWAY = Gateway()
UNLIMITED = dict.fromkeys(("tenant", "key", "address", "failures"), "")  # but where a test is about it


@dataclass(frozen=True)
class Door:
    """A gateway and what is behind it."""

    client: httpx.Client
    parts: Parts
    settings: Settings

    def submit(
        self, options: Any = None, consent: str | None = "true", texts: Mapping[str, str] | None = None, **photos: bytes
    ) -> httpx.Response:
        data = dict(texts or {}) | ({"options": json.dumps(options)} if options is not None else {})
        if consent is not None:
            data["consent"] = consent
        files = {name: (f"{name}.bin", photo) for name, photo in photos.items()}
        return self.client.post("/v1/fuse", files=files, data=data)

    @property
    def records(self) -> AllRecords:
        """The gateway's records, as worker and sweeper see them, too."""
        return AllRecords(self.parts.database, now, self.parts.waker.on_commit)

    def kept(self) -> list[str]:
        """Every object in the store."""
        return sorted(self.parts.store.list("tenants/local/"))


Open = Callable[..., Door]


@contextmanager
def doors(data: Path, valkey: ValkeyServer) -> Iterator[Open]:
    """Opens gateways with settings of one's own; all are closed at the end."""
    with ExitStack() as stack:

        def opening(store: Store | None = None, **overrides: Any) -> Door:
            queue = {"url": valkey.url, "prefix": uuid4().hex} | overrides.pop("queue", {})
            settings = load(data=data, queue=queue, sweeper={"interval": 0.25, "grace": 60.0}, **overrides)
            database = Database(settings.records_url)
            bring_to_schema(database)
            database.close()
            parts = Parts.build(settings)
            stack.callback(parts.close)
            if store is not None:
                parts = replace(parts, store=store)
            address = stack.enter_context(
                served(create(settings, parts), settings.gateway, OwnCertificate.of(settings.gateway))
            )
            client = stack.enter_context(httpx.Client(base_url=address, trust_env=False, verify=False, timeout=30.0))
            return Door(client, parts, settings)

        yield opening


@pytest.fixture
def open_door(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Open]:
    """Opens gateways for one test."""
    with doors(tmp_path, valkey) as opening:
        yield opening


@pytest.fixture(scope="module")
def open_shared_door(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[Open]:
    """Opens gateways for the tests of a module that leave no trace in them: what they ask for is refused."""
    with doors(tmp_path_factory.mktemp("shared"), valkey) as opening:
        yield opening


@contextmanager
def served(app: FastAPI, settings: Gateway = GATEWAY, certificate: OwnCertificate | None = None) -> Iterator[str]:
    """The application on a real port."""
    with listen("127.0.0.1", 0) as listener:
        server = Server(app, app.state.leave, settings, certificate)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), "the gateway starts")
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def door(open_door: Open) -> Door:
    """A gateway with default settings."""
    return open_door()


@pytest.fixture(scope="module")
def shared_door(open_shared_door: Open) -> Door:
    """A gateway with default settings, shared: to build one takes longer than most requests."""
    return open_shared_door()


def picture(width: int = 120, height: int = 90, extension: str = ".jpg", seed: int = 0) -> bytes:
    """A valid photo of nothing."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    done, data = cv2.imencode(extension, cv2.blur(pixels, (9, 9)))
    assert done
    return data.tobytes()


@pytest.fixture
def photo() -> bytes:
    return picture()


LEASE = timedelta(seconds=30)
Work = Callable[[Door], int]


@pytest.fixture(scope="module")
def engine(models: Mapping[str, ModelFiles]) -> Engine:
    built = build_engine(models, cache_bytes=64 << 20)
    built.warm()
    return built


@pytest.fixture
def work(engine: Engine) -> Work:
    """Runs everything that is queued, as a worker would; how many there were."""

    def working(door: Door) -> int:
        records, store, metrics = door.records, door.parts.store, Metrics(CollectorRegistry())
        runner = Runner(
            claims=records, store=store, handlers=build_handlers(store, metrics, now), engines=FixedEngine(engine),
            leases=Leases(records, LEASE, now, lambda _: None, metrics), lock=ExclusiveLock(lambda: False),
            retries=RetryPolicy(3, timedelta(seconds=2)), metrics=metrics, clock=now, producer="acme",
            retention=Retention.build(config.Retention(), door.parts.database, store, metrics, now),
        )  # fmt: skip
        waiting = Listing(door.parts.database).page("local", TaskFilter(state=State.QUEUED), None, 1000).rows
        for task in waiting:
            runner(task.id)
        return len(waiting)

    return working


@pytest.fixture(scope="module")
def woman(samples: Mapping[str, Path]) -> bytes:
    return samples["astronaut"].read_bytes()


@pytest.fixture(scope="module")
def admiral(samples: Mapping[str, Path]) -> bytes:
    return samples["grace_hopper"].read_bytes()


@pytest.fixture(scope="module")
def pair(woman: bytes) -> bytes:
    """Two faces beside each other."""
    face = cv2.imdecode(np.frombuffer(woman, np.uint8), cv2.IMREAD_COLOR)
    assert face is not None
    done, data = cv2.imencode(".jpg", np.hstack([face, face]))
    assert done
    return data.tobytes()
