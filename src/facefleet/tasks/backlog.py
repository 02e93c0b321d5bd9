"""Limits how many tasks may wait in a lane; a full lane refuses new ones and says when it will have room."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from facefleet.clock import Clock
from facefleet.errors.outage import Overloaded
from facefleet.tasks.records.lane_counts import LaneCounts
from facefleet.tasks.routes import Route

FRESH_SECONDS = 1.0  # how long a count holds
WINDOW = timedelta(seconds=60)  # over which the rate is measured
REOPEN_SHARE = 0.9  # of the limit: room is left when refused clients come back, so that they are not all refused again
SHORTEST_SECONDS, LONGEST_SECONDS = 1, 300


def retry_after(queued: int, limit: int, per_second: float) -> int:
    """s until ``queued`` has fallen under the share of the limit at this rate, within the bounds."""
    if per_second <= 0:
        return LONGEST_SECONDS
    seconds = math.ceil((queued - REOPEN_SHARE * limit) / per_second)
    return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, seconds))


@dataclass(frozen=True, slots=True)
class _Count:
    at: float
    queued: int
    per_second: float


class Backlog:
    """The limit of each lane, for one process.

    Args:
        lane_counts: Counts the records.
        limit: Queued tasks of one lane.
        clock: UTC.
        monotonic: s.
    """

    def __init__(
        self, lane_counts: LaneCounts, limit: int, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._lane_counts = lane_counts
        self._limit = limit
        self._clock = clock
        self._monotonic = monotonic
        self._lock = Lock()
        self._counts: dict[tuple[str, str], _Count] = {}

    def check(self, route: Route, more: int = 1) -> None:
        """Check that a lane has room for so many more tasks.

        Raises:
            Overloaded: The lane is full.
            RecordsUnavailable: The database does not answer.
        """
        count = self._count(route.track, route.lane)
        if count.queued + more <= self._limit:
            return
        seconds = retry_after(count.queued + more - 1, self._limit, count.per_second)
        room = "which is its limit" if more == 1 else f"and {more:,} more are over its limit of {self._limit:,}"
        raise Overloaded(
            f"{count.queued:,} tasks wait in the lane {route.lane}, {room}; try again in {seconds} s.",
            lane=route.lane, queued=count.queued, limit=self._limit,
            started_per_second=round(count.per_second, 3), retry_after=seconds,
        )  # fmt: skip

    def _count(self, track: str, lane: str) -> _Count:
        with self._lock:  # threads that arrive during a count use its result
            count = self._counts.get((track, lane))
            if count is None or self._monotonic() - count.at >= FRESH_SECONDS:
                count = self._counts[track, lane] = self._measure(track, lane)
            return count

    def _measure(self, track: str, lane: str) -> _Count:
        queued = self._lane_counts.queued(track, lane)
        started = 0
        if queued >= self._limit:  # the rate is needed only for a refusal
            started = self._lane_counts.started(track, lane, self._clock() - WINDOW)
        return _Count(self._monotonic(), queued, started / WINDOW.total_seconds())
