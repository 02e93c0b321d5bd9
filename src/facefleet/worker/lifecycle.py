"""Takes a worker through its life: ready, consuming, leaving.

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

POLL_TIMEOUT_SECONDS = 20.0  # a free worker asks the broker every second; one silent for this long hangs
STEP_SECONDS = 5.0  # how long a run may take from one step to the next, where it notices that it must hand back
CLOSE_SECONDS = 5.0  # how long the broker's connections may take to close

_log = logger(__name__)


class Lifecycle:
    """Connects the signals, the probe and the consumer of one worker.

    Args:
        leases: Claims of the tasks being worked on.
        slots: How many tasks run at once.
        waiting: How many slots wait for another run to end.
        grace: s that running tasks may take to finish.
        stop: Ends the consumer's loop.
        exit_process: Ends the process where the consumer's loop does not end.
        clock: Monotonic, s.
    """

    def __init__(
        self, leases: Leases, *, slots: int, grace: float, stop: Callable[[], None],
        waiting: Callable[[], int] = lambda: 0, exit_process: Callable[[int], None] = os._exit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.ready = Event()
        self.leaving = Event()
        self._closed = Event()
        self._leases = leases
        self._slots = slots
        self._waiting = waiting
        self._grace = grace
        self._stop = stop
        self._exit_process = exit_process
        self._clock = clock
        self._polled_at = clock()

    def may_poll(self) -> bool:
        """Whether the consumer may ask the broker for work; the lane cycle calls this before each time that it asks."""
        self._polled_at = self._clock()
        return not self.leaving.is_set()

    def consuming(self) -> bool:
        """Whether the worker asks for work, has no free slot, or is leaving; a liveness probe restarts it where not."""
        busy = len(self._leases.held()) + self._waiting() >= self._slots
        return busy or self.leaving.is_set() or self._clock() - self._polled_at < POLL_TIMEOUT_SECONDS

    def begin(self) -> None:
        """Become ready and take over the signals: in the main thread, after Celery has installed its own handlers."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._on_stop())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # Celery would restart the process under its tasks
        Thread(target=self._drain, name="drain", daemon=True).start()
        self.ready.set()

    def end(self) -> None:
        """Note that the consumer's loop is over and everything is closed."""
        self._closed.set()

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
                self._release_hung_tasks()
        _log.info("worker.left", seconds=round(self._clock() - began, 2))
        self._stop()
        if not self._closed.wait(CLOSE_SECONDS):
            _log.warning("worker.left_by_force")
            self._exit_process(0)

    def _wait_for_tasks(self) -> bool:
        until = self._clock() + self._grace
        while self._clock() < until and not self._leases.hand_back.is_set():
            if self._leases.wait_empty(0.1):
                return True
        return False

    def _release_hung_tasks(self) -> None:
        """Release the tasks whose native calls hang: the threads cannot be ended, but another worker can go on."""
        for task in self._leases.held():
            try:
                self._leases.release(task)
            except OutageError as error:  # the lease expires instead
                _log.warning("task.not_handed_back", task_id=task.id, code=error.code)
