"""Publishes wakes through the broker's publish/subscribe to those who are subscribed at that moment; none is stored.

A wake that is lost costs its reader a few seconds, since readers also poll the records at intervals. So publishing
never raises, and after a failure nothing is published for a while.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from facefleet.errors.outage import QueueUnavailable
from facefleet.observability.metrics import Metrics
from facefleet.queue.connection import CircuitBreaker, open_client
from facefleet.tasks.events import CHANNEL, Wake
from facefleet.tasks.records.changes import Committed
from facefleet.tasks.transitions import Change

_CONNECT_SECONDS = 2.0
_HEALTH_SECONDS = 10  # between health checks of an idle subscription
_TIMEOUT_SECONDS = 0.5  # spent at most once in AWAY_SECONDS; the caller goes on after it


def channel(prefix: str) -> str:
    """The channel of all wakes of one service."""
    return f"{prefix}:{CHANNEL}"


class Waker:
    """Notifies readers of changed records.

    Args:
        url: Of the broker.
        prefix: First part of every key and channel.
        metrics: Counts wakes, and outages of the broker.
        clock: s, monotonic.
    """

    def __init__(self, url: str, *, prefix: str, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._channel = channel(prefix)
        self._on_outage = metrics.on_outage("broker")
        self._published, self._unpublished = (metrics.wakes.labels(outcome) for outcome in ("told", "untold"))
        self._breaker = CircuitBreaker(clock)
        self._redis = open_client(url, timeout=_TIMEOUT_SECONDS)

    def __call__(self, wake: Wake) -> bool:
        """Publish; false when the broker did not take it, or did not answer a moment ago."""
        published = not self._breaker.open and self._publish(wake)
        (self._published if published else self._unpublished).inc()
        return published

    def on_commit(self, committed: Committed) -> None:
        """Wake the readers of a changed record; the hook of the records. A new record has no reader yet."""
        if committed.change is not Change.ADD:
            self(committed.wake)

    def _publish(self, wake: Wake) -> bool:
        try:
            self._redis.publish(self._channel, wake.encode())
        except (RedisError, OSError):
            self._on_outage()
            self._breaker.failed()
            return False
        return True

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()


async def subscribe(url: str, *, prefix: str) -> AsyncGenerator[Wake | None, None]:
    """Subscribe to all wakes on one connection; ``None`` comes first, when the subscription is active.

    Raises:
        QueueUnavailable: The broker is away, or went away; wakes sent meanwhile are lost.
    """
    client = redis.asyncio.Redis.from_url(
        url, socket_connect_timeout=_CONNECT_SECONDS, socket_keepalive=True, health_check_interval=_HEALTH_SECONDS,
        decode_responses=True, retry=AsyncRetry(NoBackoff(), 0),
    )  # fmt: skip
    try:
        async with client, client.pubsub() as subscription:
            await subscription.subscribe(channel(prefix))
            while True:
                message = await subscription.get_message(timeout=_HEALTH_SECONDS)
                if message and message["type"] == "subscribe":
                    yield None
                elif message and (wake := Wake.decode(str(message["data"]))):
                    yield wake
    except (RedisError, OSError) as error:
        raise QueueUnavailable("The broker sends no notifications of changes.", cause=type(error).__name__) from error
