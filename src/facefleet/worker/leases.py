"""Keeps the claims of this process alive by one heartbeat, and lets each run look at its claim between two steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Lock, Thread

from facefleet.clock import Clock
from facefleet.errors.outage import OutageError
from facefleet.errors.task import DeadlineExceeded
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics
from facefleet.tasks.records.claims import Claims
from facefleet.tasks.task import Task

PROGRESS_SECONDS = 0.2  # a run writes its progress, and notices a cancel, at most this often
COMMIT_SECONDS = 20.0  # how long an outcome is tried to be written; a database restarts in less
_COMMIT_PAUSE_SECONDS = 0.5
_BEATS_PER_LEASE = 3  # two may fail before the lease is over

_log = logger(__name__)


class HandedBack(Exception):
    """The worker leaves: this run ends between two steps, and its task goes back to the queue."""


class ClaimLost(Exception):
    """The record no longer names this run: the task was canceled, erased or taken over by another run."""


class Hold:
    """One claim, as the run under it sees it.

    Args:
        task: The record as it was claimed.
        records: Where progress and outcome are written.
        leaving: Set when runs are to end at their next step.
        clock: UTC.
    """

    def __init__(self, task: Task, records: Claims, leaving: Event, clock: Clock) -> None:
        self._task = task
        self._records = records
        self._leaving = leaving
        self._clock = clock
        self._progress_written_at = time.monotonic()

    def check(self, step: str, share: float) -> None:
        """End the run here if it must end; else write its progress, where that was long enough ago.

        Args:
            step: That has just ended.
            share: Of the work that is done, 0 to 1.

        Raises:
            HandedBack: The worker is leaving and its grace is over.
            ClaimLost: The record no longer names this run.
            DeadlineExceeded: The task has used up its time.
        """
        if self._leaving.is_set():
            raise HandedBack
        if self._clock() > self._task.deadline_at:
            raise DeadlineExceeded("The task did not finish in its time.", step=step)
        if time.monotonic() - self._progress_written_at >= PROGRESS_SECONDS:
            self._write_progress(step, share)

    def commit_outcome(self, write: Callable[[], bool]) -> bool:
        """Write the outcome of a run to the records, again and again while they are away: the work is already done.

        Args:
            write: One attempt; false where the record no longer names this run. Safe to repeat after a commit whose
                answer was lost.

        Returns:
            What ``write`` returned.

        Raises:
            OutageError: The records stayed away, or the worker leaves; the claim expires by itself.
        """
        until = time.monotonic() + COMMIT_SECONDS
        while True:
            try:
                return write()
            except OutageError as error:
                if time.monotonic() >= until or self._leaving.is_set():
                    raise
                _log.info("task.outcome_delayed", code=error.code, cause=error.detail.get("cause"))
            self._leaving.wait(_COMMIT_PAUSE_SECONDS)

    def _write_progress(self, step: str, share: float) -> None:
        self._progress_written_at = time.monotonic()
        try:
            held = self._records.advance(self._task, step, round(share, 3))
        except OutageError as error:  # the work goes on; the fence decides at the end
            _log.warning("task.progress_not_written", code=error.code)
            return
        if not held:
            raise ClaimLost


class Leases:
    """Holds all claims of this process.

    Args:
        records: Where claims are kept.
        lease: How long a claim holds without a heartbeat.
        clock: UTC.
        resend: Sends the message of a task that was handed back.
        metrics: Counts claims that were lost or handed back.
    """

    def __init__(
        self, records: Claims, lease: timedelta, clock: Clock, resend: Callable[[Task], None], metrics: Metrics
    ) -> None:
        self.lease = lease
        self.hand_back = Event()
        self._records = records
        self._clock = clock
        self._resend = resend
        self._metrics = metrics
        self._held: dict[str, Task] = {}
        self._lock = Lock()
        self._stop = Event()
        self._thread = Thread(target=self._renew_regularly, name="leases", daemon=True)

    def start(self) -> None:
        """Start the heartbeat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the heartbeat; claims still held expire by themselves."""
        self._stop.set()
        self._thread.join(timeout=self.lease.total_seconds())

    @contextmanager
    def hold(self, task: Task) -> Iterator[Hold]:
        """Keep the claim alive during the block."""
        with self._lock:
            self._held[task.id] = task
        try:
            yield Hold(task, self._records, self.hand_back, self._clock)
        finally:
            with self._lock:
                self._held.pop(task.id, None)

    def release(self, task: Task) -> None:
        """Hand a task back to the records; no budget is spent.

        Raises:
            RecordsUnavailable: The database does not answer; the lease expires instead.
        """
        queued = self._records.hand_back(task)
        _log.info("task.handed_back", task_id=task.id, fence=task.fence, kept=queued is not None)
        if queued is not None:
            self._metrics.handed_back.labels(task.kind.value).inc()
            self._resend(queued)

    def held(self) -> list[Task]:
        """The tasks being worked on."""
        with self._lock:
            return list(self._held.values())

    def wait_empty(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> bool:
        """Wait until nothing is held; false when time is up first."""
        until = time.monotonic() + seconds
        while self.held():
            if time.monotonic() > until:
                return False
            sleep(0.02)
        return True

    def _renew_regularly(self) -> None:
        while not self._stop.wait(self.lease.total_seconds() / _BEATS_PER_LEASE):
            if held := self.held():
                self._renew(held)

    def _renew(self, held: list[Task]) -> None:
        try:
            kept = self._records.renew({task.id: task.fence for task in held}, self.lease)
        except OutageError as error:
            _log.warning("lease.not_renewed", code=error.code, tasks=len(held))
            return
        for task in held:
            if task.id not in kept:
                self._metrics.leases_lost.labels(task.kind.value).inc()
                _log.warning("lease.taken_away", task_id=task.id, fence=task.fence)
