"""Opens connections to the broker beside Celery's, and stops using them for a while after a failure."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

AWAY_SECONDS = 1.0  # how long a failure is remembered


def open_client(url: str, *, timeout: float, text: bool = False) -> redis.Redis:
    """A client whose calls end within ``timeout`` s to connect and as long to answer, and that never tries again.

    Args:
        url: Of the broker.
        timeout: s.
        text: Answers are texts, not bytes.
    """
    return redis.Redis.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=timeout, decode_responses=text, retry=Retry(NoBackoff(), 0)
    )


class CircuitBreaker:
    """Refuses calls for a while after the broker did not answer, so that not every caller waits for the time-out.

    Args:
        clock: s, monotonic.
        seconds: How long a failure is remembered.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, seconds: float = AWAY_SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._open_until = clock()

    @property
    def open(self) -> bool:
        """Whether calls are refused."""
        return self._clock() < self._open_until

    def failed(self) -> None:
        """Remember that the broker did not answer."""
        self._open_until = self._clock() + self._seconds

    def answered(self) -> None:
        """Forget failures: the broker has just answered."""
        self._open_until = self._clock()
