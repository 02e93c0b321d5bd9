"""Sends wakes through the broker's publish/subscribe to whoever listens just now; none is kept.

A wake that is not told costs its reader a few seconds, since readers look at the records by themselves now and then.
So telling never fails, and a broker that does not answer is left alone for a while.
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
_HEALTH_SECONDS = 10  # between signs of life asked of a silent subscription
_TIMEOUT_SECONDS = 0.5  # spent at most once in AWAY_SECONDS; the work goes on after it


def channel(prefix: str) -> str:
    """The channel of all wakes of one service."""
    return f"{prefix}:{CHANNEL}"


class Waker:
    """Tells of changed records.

    Args:
        url: Of the broker.
        prefix: First part of every key and channel.
        metrics: What counts wakes, and outages of the broker.
        clock: s, monotonic.
    """

    def __init__(self, url: str, *, prefix: str, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._channel = channel(prefix)
        self._on_outage = metrics.on_outage("broker")
        self._told, self._untold = (metrics.wakes.labels(outcome) for outcome in ("told", "untold"))
        self._breaker = CircuitBreaker(clock)
        self._redis = open_client(url, timeout=_TIMEOUT_SECONDS)

    def __call__(self, wake: Wake) -> bool:
        """Tell; false when the broker did not take it, or was away a moment ago."""
        told = not self._breaker.open and self._publish(wake)
        (self._told if told else self._untold).inc()
        return told

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


async def heard(url: str, *, prefix: str) -> AsyncGenerator[Wake | None, None]:
    """Every wake from now on, on one connection; none comes first, when the subscription stands.

    Raises:
        QueueUnavailable: The broker is away, or went away; what was told meanwhile is lost.
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
        raise QueueUnavailable("The broker does not tell of changes.", cause=type(error).__name__) from error
