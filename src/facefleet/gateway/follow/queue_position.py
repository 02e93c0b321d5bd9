"""Estimates how long a queued task still waits: its place in its lane, and its start at the rate of the last minute.

A lane is read once a second at most, however many ask; the places of its tasks are then found without a read.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.concurrency import run_in_threadpool

from facefleet.clock import Clock
from facefleet.errors.outage import OutageError
from facefleet.tasks.backlog import FRESH_SECONDS, WINDOW
from facefleet.tasks.records.lane_counts import LaneCounts, Turn
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

MOST_AHEAD = 10_000  # of more it is only known that there are so many


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a queued task in its lane.

    Attributes:
        position: Tasks of its lane that are due and come before it, at most ``MOST_AHEAD``.
        estimated_start: UTC; none where nothing of the lane has started within the last minute.
    """

    position: int
    estimated_start: datetime | None


@dataclass(frozen=True, slots=True)
class _Lane:
    at: float
    turns: Sequence[Turn]
    per_second: float


class QueuePosition:
    """Knows the place of every queued task of the lanes that somebody asks about.

    Args:
        lane_counts: Counts the records.
        clock: UTC.
        monotonic: s.
    """

    def __init__(self, lane_counts: LaneCounts, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._lane_counts = lane_counts
        self._clock = clock
        self._monotonic = monotonic
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def place(self, task: Task) -> Place | None:
        """The place of a queued task; none of another, and while the records are away."""
        if task.state is not State.QUEUED:
            return None
        name = (task.route.track, task.route.lane)
        async with self._locks.setdefault(name, asyncio.Lock()):  # whoever comes while one reads needs the same
            lane = self._lanes.get(name)
            if lane is None or self._monotonic() - lane.at >= FRESH_SECONDS:
                try:
                    lane = self._lanes[name] = await run_in_threadpool(self._read, *name)
                except OutageError:
                    return None
        return self._place(task, lane)

    def _read(self, track: str, lane: str) -> _Lane:
        now = self._clock()
        turns = self._lane_counts.turns(track, lane, MOST_AHEAD)
        started = self._lane_counts.started(track, lane, now - WINDOW) if turns else 0
        return _Lane(self._monotonic(), turns, started / WINDOW.total_seconds())

    def _place(self, task: Task, lane: _Lane) -> Place:
        position = bisect_left(lane.turns, (task.run_at, task.id))
        if lane.per_second <= 0:
            return Place(position, None)
        start = self._clock() + timedelta(seconds=(position + 1) / lane.per_second)
        return Place(position, max(start, task.run_at))
