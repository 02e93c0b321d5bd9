"""A real broker, a real Celery application, and a sweeper over real records."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import Celery
from kombu import Consumer
from prometheus_client import CollectorRegistry
from tests.schemas import bring_to_schema
from tests.servers import ValkeyServer
from tests.tasks.fakes import AllRecords, FakeClock, a_task

from facefleet.observability.metrics import Metrics
from facefleet.queue.app import build_app
from facefleet.queue.broker import Broker
from facefleet.queue.submit import Submitter
from facefleet.tasks.routes import Route, list_name
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task
from facefleet.upkeep.sweeper import Sweeper

GRACE = timedelta(seconds=5)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server the test may kill."""
    with ValkeyServer(tmp_path / "valkey") as server:
        yield server


class Hands:
    """A worker's hands: takes messages off the lists through the application's own consumer."""

    def __init__(self, app: Celery) -> None:
        self._connection = app.connection_for_read()
        self._taken: list[Any] = []
        channel = self._connection.channel()
        channel.basic_qos(0, 1000, False)
        lists = list(app.amqp.queues.consume_from.values())
        self._consumer = Consumer(channel, lists, on_message=self._taken.append, accept=["json"])
        self._consumer.consume()

    def take(self) -> Any:
        """The next message, not acknowledged."""
        while not self._taken:
            self._connection.drain_events(timeout=5)
        return self._taken.pop()

    def take_id(self) -> str:
        """The task of the next message, which is acknowledged."""
        message = self.take()
        message.ack()
        return str(message.headers["id"])

    def close(self) -> None:
        """Let go; what was not acknowledged goes back to its list."""
        self._consumer.cancel()
        self._connection.close()


@dataclass(frozen=True)
class Rig:
    """Records, a broker, and the sweeper between them."""

    url: str
    prefix: str
    app: Celery
    client: Any
    records: AllRecords
    broker: Broker
    submitter: Submitter
    sweeper: Sweeper
    clock: FakeClock
    stack: ExitStack

    def another_sweeper(self) -> Sweeper:
        """As in a second gateway: everything of its own but the records and the broker's server."""
        app = self.stack.enter_context(_app(self.url, self.prefix))
        broker = Broker(self.url, prefix=self.prefix)
        self.stack.callback(broker.close)
        metrics = Metrics(CollectorRegistry())
        return Sweeper(self.records, self.records, broker, Submitter(app), metrics, self.clock, GRACE)

    def accept(self, send: bool = True, **changes: Any) -> Task:
        """As the gateway does: commit as sent, then send; or die between the two."""
        task = a_task(self.clock(), **changes).sent(self.clock(), self.submitter.epoch)
        self.records.add(task)
        if send:
            self.submitter.send(task)
        return task

    def now_of(self, task: Task) -> Task:
        return self.records.get(task.tenant, task.id)

    def messages(self, route: Route) -> list[dict[str, Any]]:
        """What waits in a list, next one first."""
        return [json.loads(raw) for raw in reversed(self.client.lrange(f"{self.prefix}:{list_name(route)}", 0, -1))]

    def waiting(self, route: Route) -> list[str]:
        """Ids of the tasks whose message waits in a list, next one first."""
        return [message["headers"]["id"] for message in self.messages(route)]

    def hands(self) -> Hands:
        """A worker's."""
        hands = Hands(self.app)
        self.stack.callback(hands.close)
        return hands

    def done(self, sweeper: Sweeper | None = None) -> dict[str, float]:
        """Action → how often the sweeper took it so far."""
        metric = next(iter((sweeper or self.sweeper).metrics.sweeps.collect()))
        return {s.labels["action"]: s.value for s in metric.samples if s.name.endswith("_total")}


def body_of(message: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(message["body"]))


def _app(url: str, prefix: str, every: int = 5) -> Celery:
    return build_app(url, prefix=prefix, lower_lane_every=every, visibility_timeout=3600)


Build = Callable[..., Rig]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds rigs; all are closed at the end."""
    with ExitStack() as stack:

        def building(server: ValkeyServer, records: str = "sqlite://", every: int = 5) -> Rig:
            prefix = f"t{uuid4().hex}"
            database = Database(records)
            stack.callback(database.close)
            bring_to_schema(database)
            clock = FakeClock(datetime.now(UTC))  # the broker's own clock is the machine's
            repository = AllRecords(database, clock)
            broker = Broker(server.url, prefix=prefix)
            stack.callback(broker.close)
            client = stack.enter_context(redis.Redis.from_url(server.url, decode_responses=True))
            app = stack.enter_context(_app(server.url, prefix, every))
            submitter = Submitter(app)
            sweeper = Sweeper(repository, repository, broker, submitter, Metrics(CollectorRegistry()), clock, GRACE)
            return Rig(server.url, prefix, app, client, repository, broker, submitter, sweeper, clock, stack)

        yield building


@pytest.fixture
def rig(build: Build, valkey: ValkeyServer) -> Rig:
    """One whose broker has been seen, as after a gateway's first round."""
    made = build(valkey)
    made.sweeper.round()
    return made
