"""How long a client asks again, and when: pure decisions, the same for both clients."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from facefleet.errors.base import FacefleetError

RETRIED = frozenset({
    HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
})  # fmt: skip

Clock = Callable[[], float]
now = time.monotonic


@dataclass(frozen=True, slots=True)
class Patience:
    """How a client bears a server that is away or refuses for the moment.

    Attributes:
        total: s from the first attempt of a request until the last may begin; 0 tries once.
        first: the same for a server that has never answered: a wrong address should be told soon.
        shortest: s of the first pause; each next one is twice as long, and jitter takes up to half of it.
        longest: s of a pause, unless the server asks for a longer one.
    """

    total: float = 30.0
    first: float = 2.0
    shortest: float = 0.2
    longest: float = 5.0


class Attempts:
    """The attempts of one request.

    Args:
        patience: How long.
        until: When its caller gives up, by ``clock``.
        clock: s, never going back.
        jitter: 0 to 1, anew each time.
    """

    def __init__(
        self, patience: Patience, until: float = math.inf, clock: Clock = now,
        jitter: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._patience = patience
        self._until = until
        self._clock = clock
        self._jitter = jitter
        self._began = clock()
        self._pause = patience.shortest

    def pause(self, failure: FacefleetError, *, was_there: bool) -> float:
        """s to wait before the next attempt.

        Args:
            failure: Of this attempt; its ``retry_after``, in s, is a pause that the server asks for.
            was_there: Whether this server has ever answered.

        Raises:
            FacefleetError: ``failure``: there is no time for another.
        """
        pause = self._pause * (1.0 - 0.5 * self._jitter())
        self._pause = min(self._patience.longest, self._pause * 2)
        asked = failure.detail.get("retry_after")
        if isinstance(asked, int | float):
            pause = max(pause, asked)
        total = self._patience.total if was_there else min(self._patience.first, self._patience.total)
        if self._clock() + pause > min(self._until, self._began + total):
            raise failure
        return pause


def retry_after(text: str | None) -> float | None:
    """s that a ``Retry-After`` asks for: a number of them, or a date; none where it says neither."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return None
