"""Follows the tasks that somebody waits for, with one subscription and one reader of records for all, no thread each.

While nobody waits there is no subscription: a gateway that only takes work in does not read the wakes of workers.

A wake says which record to read; records that were marked meanwhile are read together. Now and then the versions of all
followed records are compared, so that a wake that was lost, or a broker that is away, only costs time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress

from starlette.concurrency import run_in_threadpool

from facefleet.errors.outage import OutageError, Overloaded, QueueUnavailable
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics
from facefleet.tasks.events import Wake
from facefleet.tasks.records.chunks import chunks
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.task import Task

LOOK_SECONDS = 5.0  # between looks at everything, while wakes arrive
AWAY_LOOK_SECONDS = 2.0  # while none do
LINGER_SECONDS = 10.0  # a subscription outlives its last reader by so much: where there was one, the next is near
_RECONNECT_SECONDS = 1.0
_RETRY_SECONDS = 5  # a full gateway has room when one of its readers has the end of its task

_log = logger(__name__)

Wakes = Callable[[], AsyncGenerator[Wake | None, None]]


class Watch:
    """One reader who waits for changes of one task."""

    def __init__(self, task: Task) -> None:
        self.seen = task.version
        self._newest = task
        self._changed = asyncio.Event()
        self.over = False  # the gateway leaves: whoever waits goes elsewhere

    def notify(self, task: Task) -> None:
        """Hand over the record as it stands now."""
        if task.version > self._newest.version:
            self._newest = task
            self._changed.set()

    def end(self) -> None:
        """Make the reader wait no longer."""
        self.over = True
        self._changed.set()

    async def newer(self, seconds: float) -> Task | None:
        """Wait for a record that this reader has not seen; none when the time is up, or the gateway leaves."""
        if not self.over and self._newest.version <= self.seen:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
        if self.over or self._newest.version <= self.seen:
            return None
        self.seen = self._newest.version
        return self._newest


class Changes:
    """Receives the wakes of changed records and notifies the readers that wait for them.

    Args:
        records: Where changed records are read.
        wakes: Opens a subscription; it ends with ``QueueUnavailable``.
        metrics: Counts readers and wakes.
        max_readers: Readers at once.
        jitter: Varies the times of looks, so that gateways do not look at the records all at once.
    """

    def __init__(
        self, records: TaskRepository, wakes: Wakes, metrics: Metrics, max_readers: int,
        jitter: random.Random | None = None,
    ) -> None:  # fmt: skip
        self._records = records
        self._wakes = wakes
        self._metrics = metrics
        self._max_readers = max_readers
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
        """Receive wakes and read records until canceled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive_wakes())
            group.create_task(self._read_changed())

    def leave(self) -> None:
        """End all waiting, for good."""
        self._leaving = True
        for watch in self._all():
            watch.end()

    def require_room(self) -> None:
        """Refuse one reader more where there are as many as allowed.

        Raises:
            Overloaded: There are as many.
        """
        if self._count >= self._max_readers:
            raise Overloaded(
                f"{self._count:,} clients wait at this gateway, which is its limit.",
                limit=self._max_readers, retry_after=_RETRY_SECONDS,
            )  # fmt: skip

    @contextmanager
    def watch(self, task: Task, how: str) -> Iterator[Watch]:
        """Follow a task from this version on; changes that it has had by now are included.

        Args:
            task: The version that the reader knows.
            how: ``events`` or ``wait``: the label of the metric.
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
        """Wait until the task has ended, or so many s; with as many readers as allowed it does not wait."""
        if task.state.terminal or seconds <= 0 or self._count >= self._max_readers:
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

    async def _receive_wakes(self) -> None:
        while True:
            await self._wanted.wait()
            pause = 0.0
            try:
                async with aclosing(self._wakes()) as wakes:
                    async for wake in wakes:
                        self._mark_changed(wake)
                        if not self._count and time.monotonic() - self._left_at > LINGER_SECONDS:
                            break
            except QueueUnavailable as outage:
                if self._subscribed:
                    _log.warning("wakes.away", cause=outage.detail.get("cause"))
                pause = _RECONNECT_SECONDS * self._jitter.uniform(0.5, 1.0)
            self._subscribed = False
            await asyncio.sleep(pause)

    def _mark_changed(self, wake: Wake | None) -> None:
        if wake is None:  # from now on; before that, anything may have changed
            self._subscribed = True
            for task_id in self._watches:
                self._mark(task_id)
            return
        self._metrics.wakes.labels("heard").inc()
        if any(watch.seen < wake.version for watch in self._watches.get(wake.task_id, ())):
            self._mark(wake.task_id)

    async def _read_changed(self) -> None:
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
                await self._notify(marked, seen)

    async def _notify(self, marked: set[str], seen: Mapping[str, int]) -> None:
        try:
            changed = await run_in_threadpool(_newer, self._records, marked, seen)
        except OutageError:  # counted where it occurred; the next look finds what this one did not
            return
        except Exception:  # noqa: BLE001 - a bug here must not leave every reader waiting for ever
            _log.exception("events.not_read")
            return
        for task in changed:
            for watch in self._watches.get(task.id, ()):
                watch.notify(task)


def _newer(records: TaskRepository, marked: set[str], seen: Mapping[str, int]) -> list[Task]:
    """Read the marked records, and of those that readers have seen the ones with a higher version now."""
    wanted = set(marked)
    for ids in chunks(seen):
        wanted |= {task_id for task_id, version in records.versions(ids).items() if version > seen[task_id]}
    return [task for ids in chunks(wanted) for task in records.of_ids(ids)]
