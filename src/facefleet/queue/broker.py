"""Reads from the broker its epoch, its settings, the length of each list, and what workers have not acknowledged."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from redis.exceptions import RedisError

from facefleet.errors.outage import QueueUnavailable
from facefleet.observability.metrics import ignore_outage
from facefleet.queue.connection import open_client
from facefleet.tasks.routes import Route, list_name, routes

_EPOCH = "epoch"
_UNACKED = "unacked"
_UNACKED_INDEX = "unacked_index"
_TIMEOUT_SECONDS = 2.0
_INFO = ("server", "memory", "persistence")


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What a broker says of itself.

    Attributes:
        product: Name and version.
        policy: ``maxmemory-policy``: what it does when its memory is full.
        max_memory: Bytes that it may hold; 0: as many as there are.
        append_only: Whether it writes each change to a file, so that a restart forgets nothing.
        clock: Its time, s since the epoch of Unix.
    """

    product: str
    policy: str
    max_memory: int
    append_only: bool
    clock: float


class Broker:
    """A read-mostly view beside Celery's own connection.

    Every method raises ``QueueUnavailable`` when the broker does not answer.

    Args:
        url: Of the server.
        prefix: First part of every key.
        on_outage: Called each time that the broker did not answer.
    """

    def __init__(self, url: str, *, prefix: str, on_outage: Callable[[], object] = ignore_outage) -> None:
        self._prefix = prefix
        self._on_outage = on_outage
        self._redis = open_client(url, timeout=_TIMEOUT_SECONDS, text=True)

    def epoch(self) -> str:
        """The id of the broker's present data; a broker that restarted without its data gets a new one."""
        with self._outages():
            key = self._key(_EPOCH)
            self._redis.set(key, str(uuid.uuid4()), nx=True)
            return str(self._redis.get(key))

    def ping(self) -> None:
        """Check that the broker answers."""
        with self._outages():
            self._redis.ping()

    def facts(self) -> BrokerFacts:
        """Its version, the settings that decide whether it keeps messages, and its clock."""
        with self._outages():
            info = {name: value for part in _INFO for name, value in self._redis.info(part).items()}
            seconds, microseconds = self._redis.time()
        return BrokerFacts(
            product=_product(info),
            policy=str(info.get("maxmemory_policy", "unknown")),  # not every server that speaks Redis has all of them
            max_memory=int(info.get("maxmemory", 0)),
            append_only=bool(info.get("aof_enabled", False)),
            clock=seconds + microseconds / 1e6,
        )

    def depths(self, track: str) -> dict[Route, int]:
        """Messages waiting in each list of a track."""
        lists = routes(track)
        with self._outages(), self._redis.pipeline(transaction=False) as pipe:
            for route in lists:
                pipe.llen(self._key(list_name(route)))
            return dict(zip(lists, pipe.execute(), strict=True))

    def waiting(self, route: Route) -> int:
        """Messages waiting in one list."""
        with self._outages():
            return int(self._redis.llen(self._key(list_name(route))))

    def unacknowledged(self, since: float) -> set[str]:
        """Ids of the tasks whose message a worker took after ``since`` and has not acknowledged.

        Args:
            since: s since the epoch of Unix; a message taken earlier and still not claimed has lost its worker.
        """
        with self._outages():
            tags = [str(tag) for tag in self._redis.zrangebyscore(self._key(_UNACKED_INDEX), since, "+inf")]
            held = self._redis.hmget(self._key(_UNACKED), tags) if tags else []
        return {_task_id(str(message)) for message in held if message}

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    @contextmanager
    def _outages(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            self._on_outage()
            raise QueueUnavailable("The broker did not answer; try again.", cause=type(error).__name__) from error


def _product(info: Mapping[str, object]) -> str:
    """Valkey tells its own version beside that of the Redis it is compatible with."""
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info.get('redis_version', 'of an unknown version')}"


def _task_id(message: str) -> str:
    raw, _exchange, _routing_key = json.loads(message)
    return str(raw["headers"]["id"])
