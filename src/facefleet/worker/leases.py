"""The heartbeat: one thread renews the leases of all tasks this process holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Lock, Thread

from facefleet.errors import OutageError
from facefleet.observability.logs import logger
from facefleet.tasks.repository import TaskRepository
from facefleet.tasks.task import Task

_BEATS_PER_LEASE = 3  # two may fail before the lease is over

_log = logger(__name__)


class Leases:
    """The claims this process holds."""

    def __init__(self, records: TaskRepository, lease: timedelta) -> None:
        self.lease = lease
        self._records = records
        self._held: dict[str, int] = {}
        self._lock = Lock()
        self._stop = Event()
        self._thread = Thread(target=self._beat, name="leases", daemon=True)

    def start(self) -> None:
        """Begin the heartbeat."""
        self._thread.start()

    def stop(self) -> None:
        """End it; claims still held expire by themselves."""
        self._stop.set()
        self._thread.join(timeout=self.lease.total_seconds())

    @contextmanager
    def hold(self, task: Task) -> Iterator[None]:
        """Keep the claim alive during the block."""
        with self._lock:
            self._held[task.id] = task.fence
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(task.id, None)

    def _beat(self) -> None:
        while not self._stop.wait(self.lease.total_seconds() / _BEATS_PER_LEASE):
            with self._lock:
                held = dict(self._held)
            if held:
                self._renew(held)

    def _renew(self, held: dict[str, int]) -> None:
        try:
            kept = self._records.renew(held, self.lease)
        except OutageError as error:
            _log.warning("lease.not_renewed", code=error.code, tasks=len(held))
            return
        for task_id in held.keys() - kept:
            _log.warning("lease.taken_away", task_id=task_id, fence=held[task_id])
