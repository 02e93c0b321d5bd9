"""The life of a worker: ready, consuming, leaving.

SIGTERM drains: take nothing more, let running tasks finish inside the grace, hand the rest back to the records, leave.
Celery's own soft shutdown cannot do this with threads, so its signal handlers are replaced once the worker is ready.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from threading import Event, Thread

from facefleet.errors.outage import OutageError
from facefleet.observability.logs import logger
from facefleet.worker.leases import Leases

LOOK_SECONDS = 20.0  # a free worker asks the broker every second; one that has not for this long is deaf
STEP_SECONDS = 5.0  # bound of one step: how long a run may take to notice that it is to hand back
LEAVE_SECONDS = 5.0  # how long the broker's connections may take to close

_log = logger(__name__)


class Lifecycle:
    """What the signals, the probe and the consumer of one worker have in common.

    Args:
        leases: What is being worked on.
        slots: Tasks at once.
        waiting: How many of them wait for another to end.
        grace: s that running tasks may take to finish.
        stop: Ends the consumer's loop.
        leave: Ends the process where the consumer's loop does not end.
    """

    def __init__(
        self, leases: Leases, *, slots: int, grace: float, stop: Callable[[], None],
        waiting: Callable[[], int] = lambda: 0, leave: Callable[[int], None] = os._exit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.ready = Event()
        self.leaving = Event()
        self._finished = Event()
        self._leases = leases
        self._slots = slots
        self._waiting = waiting
        self._grace = grace
        self._stop = stop
        self._leave = leave
        self._clock = clock
        self._looked = clock()

    def watch(self) -> bool:
        """Asked by the lane cycle before each look at the broker; false stops the looking."""
        self._looked = self._clock()
        return not self.leaving.is_set()

    def consuming(self) -> bool:
        """Whether the worker looks for work, has its hands full, or is leaving: what a liveness probe wants to know."""
        busy = len(self._leases.held()) + self._waiting() >= self._slots
        return busy or self.leaving.is_set() or self._clock() - self._looked < LOOK_SECONDS

    def begin(self) -> None:
        """Ready: take over the signals. Must be called in the main thread, after Celery has installed its own."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._on_stop())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # Celery would restart the process under its tasks
        Thread(target=self._drain, name="drain", daemon=True).start()
        self.ready.set()

    def end(self) -> None:
        """The consumer's loop is over and everything is closed."""
        self._finished.set()

    def _on_stop(self) -> None:
        if self.leaving.is_set():  # a second signal: do not wait for running tasks
            self._leases.hand_back.set()
        self.leaving.set()

    def _drain(self) -> None:
        self.leaving.wait()
        self.ready.clear()
        began = self._clock()
        _log.info("worker.leaving", running=len(self._leases.held()), grace=self._grace)
        if not self._wait_for_tasks():
            self._leases.hand_back.set()
            if not self._leases.wait_empty(STEP_SECONDS):
                self._take_back()
        _log.info("worker.left", seconds=round(self._clock() - began, 2))
        self._stop()
        if not self._finished.wait(LEAVE_SECONDS):
            _log.warning("worker.left_by_force")
            self._leave(0)

    def _wait_for_tasks(self) -> bool:
        until = self._clock() + self._grace
        while self._clock() < until and not self._leases.hand_back.is_set():
            if self._leases.wait_empty(0.1):
                return True
        return False

    def _take_back(self) -> None:
        """A native call hangs; its thread cannot be ended, but its task can go to another worker now."""
        for task in self._leases.held():
            try:
                self._leases.release(task)
            except OutageError as error:  # the lease expires instead
                _log.warning("task.not_handed_back", task_id=task.id, code=error.code)
