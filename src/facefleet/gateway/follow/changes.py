"""Whoever waits for a task to change, in this process: one subscription and one reader for all of them, no thread each.

While nobody waits there is no subscription either: a gateway that only takes work in does not read what workers tell.

A wake says which record to read; what was marked meanwhile is read together. Now and then all records that somebody
waits for are looked at by their version, so that a wake that was lost, or a broker that is away, only costs time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from itertools import islice

from starlette.concurrency import run_in_threadpool

from facefleet.errors.outage import OutageError, Overloaded, QueueUnavailable
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics
from facefleet.tasks.events import Wake
from facefleet.tasks.repository import BATCH, TaskRepository
from facefleet.tasks.task import Task

LOOK_SECONDS = 5.0  # between looks at everything, while wakes arrive
AWAY_LOOK_SECONDS = 2.0  # while none do
LINGER_SECONDS = 10.0  # a subscription outlives its last reader by so much: where there was one, the next is near
_RECONNECT_SECONDS = 1.0
_RETRY_SECONDS = 5  # a full gateway has room when one of its readers has the end of its task

_log = logger(__name__)

Wakes = Callable[[], AsyncGenerator[Wake | None, None]]


class Watch:
    """One waiting reader of one task."""

    def __init__(self, task: Task) -> None:
        self.seen = task.version
        self._newest = task
        self._told = asyncio.Event()
        self.over = False  # the gateway leaves: whoever waits goes elsewhere

    def tell(self, task: Task) -> None:
        """The record as it stands now."""
        if task.version > self._newest.version:
            self._newest = task
            self._told.set()

    def end(self) -> None:
        """Wait no longer."""
        self.over = True
        self._told.set()

    async def newer(self, seconds: float) -> Task | None:
        """The newest record that this reader has not seen; none when time is up, or the gateway leaves."""
        if not self.over and self._newest.version <= self.seen:
            self._told.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._told.wait()
        if self.over or self._newest.version <= self.seen:
            return None
        self.seen = self._newest.version
        return self._newest


class Changes:
    """Hears of changed records and tells their readers.

    Args:
        records: Where they are read.
        wakes: A subscription; ends with ``QueueUnavailable``.
        metrics: What counts readers and wakes.
        most: Readers at once.
        jitter: So that gateways do not look at the records all at once.
    """

    def __init__(
        self, records: TaskRepository, wakes: Wakes, metrics: Metrics, most: int,
        jitter: random.Random | None = None,
    ) -> None:  # fmt: skip
        self._records = records
        self._wakes = wakes
        self._metrics = metrics
        self._most = most
        self._jitter = jitter or random.SystemRandom()
        self._watches: dict[str, set[Watch]] = {}
        self._count = 0
        self._marked: set[str] = set()
        self._work = asyncio.Event()
        self._wanted = asyncio.Event()
        self._left_at = 0.0
        self._subscribed = False
        self._leaving = False

    async def run(self) -> None:
        """Hear and read until canceled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear())
            group.create_task(self._read())

    def leave(self) -> None:
        """End all waiting, for good."""
        self._leaving = True
        for watch in self._all():
            watch.end()

    def require_room(self) -> None:
        """Refuse one reader more where there are enough.

        Raises:
            Overloaded: There are.
        """
        if self._count >= self._most:
            raise Overloaded(
                f"{self._count:,} clients wait at this gateway, which is its limit.",
                limit=self._most, retry_after=_RETRY_SECONDS,
            )  # fmt: skip

    @contextmanager
    def watch(self, task: Task, how: str) -> Iterator[Watch]:
        """Hear of changes of a task after this version of it, those that it has had by now included.

        Args:
            task: As its reader knows it.
            how: ``events`` or ``wait``: what is counted.
        """
        watch = Watch(task)
        if self._leaving:
            watch.end()
        self._watches.setdefault(task.id, set()).add(watch)
        self._count += 1
        self._wanted.set()
        self._mark(task.id)  # it may have changed before anybody listened
        try:
            with self._metrics.watchers.labels(how).track_inprogress():
                yield watch
        finally:
            self._count -= 1
            if not self._count:
                self._wanted.clear()
                self._left_at = time.monotonic()
            others = self._watches[task.id]
            others.discard(watch)
            if not others:
                del self._watches[task.id]

    async def ended(self, task: Task, seconds: float) -> Task:
        """The task when it has ended, or as it stands after so many s; a full gateway does not wait."""
        if task.state.terminal or seconds <= 0 or self._count >= self._most:
            return task
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        with self.watch(task, "wait") as watch:
            while (newer := await watch.newer(until - clock())) is not None:
                task = newer
                if task.state.terminal:
                    break
        return task

    def _all(self) -> Iterator[Watch]:
        return (watch for watches in self._watches.values() for watch in watches)

    def _mark(self, task_id: str) -> None:
        self._marked.add(task_id)
        self._work.set()

    async def _hear(self) -> None:
        while True:
            await self._wanted.wait()
            pause = 0.0
            try:
                async with aclosing(self._wakes()) as wakes:
                    async for wake in wakes:
                        self._heard(wake)
                        if not self._count and time.monotonic() - self._left_at > LINGER_SECONDS:
                            break
            except QueueUnavailable as away:
                if self._subscribed:
                    _log.warning("wakes.away", cause=away.detail.get("cause"))
                pause = _RECONNECT_SECONDS * self._jitter.uniform(0.5, 1.0)
            self._subscribed = False
            await asyncio.sleep(pause)

    def _heard(self, wake: Wake | None) -> None:
        if wake is None:  # from now on; before that, anything may have changed
            self._subscribed = True
            for task_id in self._watches:
                self._mark(task_id)
            return
        self._metrics.wakes.labels("heard").inc()
        if any(watch.seen < wake.version for watch in self._watches.get(wake.task_id, ())):
            self._mark(wake.task_id)

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        look_at = clock()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(look_at):
                    await self._work.wait()
            self._work.clear()
            marked, self._marked = self._marked & self._watches.keys(), set()
            seen: dict[str, int] = {}
            if clock() >= look_at:
                seen = {task_id: min(w.seen for w in watches) for task_id, watches in self._watches.items()}
                pause = LOOK_SECONDS if self._subscribed else AWAY_LOOK_SECONDS
                look_at = clock() + pause * self._jitter.uniform(0.75, 1.25)
            if marked or seen:
                await self._tell(marked, seen)

    async def _tell(self, marked: set[str], seen: Mapping[str, int]) -> None:
        try:
            found = await run_in_threadpool(_newer, self._records, marked, seen)
        except OutageError:  # counted where it was met; the next look finds what this one did not
            return
        except Exception:  # noqa: BLE001 - a bug here must not leave every reader waiting for ever
            _log.exception("events.not_read")
            return
        for task in found:
            for watch in self._watches.get(task.id, ()):
                watch.tell(task)


def _newer(records: TaskRepository, marked: set[str], seen: Mapping[str, int]) -> list[Task]:
    """The marked records, and of the seen ones those that have another version now."""
    wanted = set(marked)
    for ids in _batches(seen):
        wanted |= {task_id for task_id, version in records.versions(ids).items() if version > seen[task_id]}
    return [task for ids in _batches(wanted) for task in records.of_ids(ids)]


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while some := list(islice(rest, BATCH)):
        yield some
