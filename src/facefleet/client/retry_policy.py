"""Decides whether and when a failed request is sent again; both clients do the waiting themselves."""

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
from facefleet.errors.limits import RateLimited

RETRIED = frozenset({
    HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
})  # fmt: skip

Clock = Callable[[], float]
now = time.monotonic


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client tries again while a server is away or refuses for the moment.

    Attributes:
        total: s from the first attempt of a request until the last one may begin; 0 tries once.
        first: s, the same for a server that has never answered, since a wrong address should be reported soon.
        shortest: s of the first pause; each next one is twice as long, and jitter takes up to half of it.
        longest: s of a pause, unless the server asks for a longer one.
        on_limit: Called with the s of a pause before it, where the server was asked too often. Such a pause is as long
            as the server says and no part of ``total``: only the caller's own deadline ends the waiting.
    """

    total: float = 30.0
    first: float = 2.0
    shortest: float = 0.2
    longest: float = 5.0
    on_limit: Callable[[float], None] | None = None


class Attempts:
    """The attempts of one request.

    Args:
        patience: How long to try.
        until: When the caller gives up, by ``clock``.
        clock: Monotonic, s.
        jitter: Returns a random number from 0 to 1.
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

    def pause(self, failure: FacefleetError, *, has_answered: bool) -> float:
        """s to wait before the next attempt.

        Args:
            failure: The error of this attempt; its ``retry_after``, in s, is a pause that the server asks for.
            has_answered: Whether this server has ever answered.

        Raises:
            FacefleetError: It is ``failure``, as there is no time for another attempt.
        """
        pause = self._pause * (1.0 - 0.5 * self._jitter())
        self._pause = min(self._patience.longest, self._pause * 2)
        requested = failure.detail.get("retry_after")
        if isinstance(failure, RateLimited) and isinstance(requested, int | float) and self._patience.total:
            return self._wait_for_turn(failure, requested)
        if isinstance(requested, int | float):
            pause = max(pause, requested)
        total = self._patience.total if has_answered else min(self._patience.first, self._patience.total)
        if self._clock() + pause > min(self._until, self._began + total):
            raise failure
        return pause

    def _wait_for_turn(self, failure: RateLimited, requested: float) -> float:
        """s until a server that is not away, but was asked too often, is asked again; no part of the patience."""
        pause = requested + self._patience.shortest * self._jitter()
        if self._clock() + pause > self._until:
            raise failure
        self._began += pause
        if self._patience.on_limit is not None:
            self._patience.on_limit(pause)
        return pause


def retry_after(text: str | None) -> float | None:
    """The delay in s that a ``Retry-After`` header asks for as a number or a date; None where it has neither."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return None
