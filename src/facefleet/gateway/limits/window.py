"""Defines limits and where they stand: the arithmetic of the sliding-window counter, and what every limiter does.

Time is cut into windows of the rate's length. What was asked in the window before counts by the share of it that the
last ``seconds`` still cover. So no window has more than ``count`` requests, and any other span of that length at most
twice as many: the worst case is a whole window's requests at its end, and as many again spread over the next one.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from facefleet.access.rates import Rate

_ROOM = 10_000  # counters of a process


@dataclass(frozen=True, slots=True)
class Limit:
    """One rate for one asker.

    Attributes:
        name: Of the policy: ``tenant``, ``key``, ``address``.
        who: Whom it is for; unique within the name.
    """

    name: str
    who: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Standing:
    """What was counted for a limit.

    Attributes:
        limit: Which.
        counted: Requests in this window.
        before: Requests in the window before.
        elapsed: ms of this window that are over.
    """

    limit: Limit
    counted: int
    before: int
    elapsed: int

    @property
    def fits(self) -> bool:
        """Whether one more request may be answered."""
        length = self._length
        return self.before * (length - self.elapsed) + (self.counted + 1) * length <= self.limit.rate.count * length

    @property
    def remaining(self) -> int:
        """Requests that may be answered now."""
        free = (self.limit.rate.count - self.counted) * self._length - self.before * (self._length - self.elapsed)
        return max(0, free // self._length)

    @property
    def wait(self) -> int:
        """s until one more request may be answered, rounded up; 0 where it may be now."""
        if self.fits:
            return 0
        free = self.limit.rate.count - self.counted - 1
        if free >= 0:
            return math.ceil((self._until(free, self.before) - self.elapsed) / 1000)
        # This window is full: in the next one its requests are those before.
        return math.ceil((self._length - self.elapsed + self._until(self.limit.rate.count - 1, self.counted)) / 1000)

    @property
    def reset(self) -> int:
        """s until more requests than now may be answered: until one may, or the window ends."""
        return self.wait or math.ceil((self._length - self.elapsed) / 1000)

    def _until(self, free: int, before: int) -> float:
        """ms of a window after which those before leave ``free`` or fewer."""
        return self._length * max(0.0, 1 - free / before)

    @property
    def _length(self) -> int:
        return self.limit.rate.seconds * 1000


class Limiter(Protocol):
    """Counts requests against limits."""

    async def take(self, limits: Sequence[Limit]) -> tuple[bool, Sequence[Standing]]:
        """Count one request against all limits, or against none where one of them has no room for it.

        Returns:
            Whether it was counted, and where each limit stands then.

        Raises:
            QueueUnavailable: What counts does not answer.
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class MemoryLimiter:
    """Counts in this process only, for tests and as the reference of the shared one.

    Args:
        clock: ms, as Unix time.
    """

    def __init__(self, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000, room: int = _ROOM) -> None:
        self._clock = clock
        self._room = room
        self._windows: OrderedDict[tuple[str, str, int], tuple[int, int, int]] = OrderedDict()

    async def take(self, limits: Sequence[Limit]) -> tuple[bool, Sequence[Standing]]:
        """Count, as ``Limiter`` says."""
        now = self._clock()
        found = [self._standing(limit, now) for limit in limits]
        if not all(one.fits for one, _ in found):
            return False, [one for one, _ in found]
        taken = [replace(one, counted=one.counted + 1) for one, _ in found]
        for one, (_, window) in zip(taken, found, strict=True):
            self._windows[_key(one.limit)] = window, one.counted, one.before
            self._windows.move_to_end(_key(one.limit))
        while len(self._windows) > self._room:
            self._windows.popitem(last=False)
        return True, taken

    async def close(self) -> None:
        """Nothing is open."""

    def _standing(self, limit: Limit, now: int) -> tuple[Standing, int]:
        length = limit.rate.seconds * 1000
        window, elapsed = divmod(now, length)
        kept, counted, before = self._windows.get(_key(limit), (window, 0, 0))
        if kept > window:  # the clock was set back
            window, elapsed = kept, 0
        if kept < window:
            counted, before = 0, counted if kept == window - 1 else 0
        return Standing(limit, counted, before, elapsed), window


def _key(limit: Limit) -> tuple[str, str, int]:
    return limit.name, limit.who, limit.rate.seconds
