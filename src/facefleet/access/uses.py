"""Gathers when API keys were used and writes it now and then, so that no request waits for such a write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock

from facefleet.access.key_records import KeyRecords
from facefleet.clock import Clock
from facefleet.errors.outage import OutageError
from facefleet.observability.logs import logger
from facefleet.observability.rounds import round_of

INTERVAL_SECONDS = 60.0

_log = logger(__name__)


class KeyUses:
    """The uses of one process that are not written yet: of each key the last one."""

    def __init__(self, records: KeyRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._lock = Lock()
        self._last: dict[str, datetime] = {}

    def note(self, key_id: str) -> None:
        """A key was used now."""
        with self._lock:
            self._last[key_id] = self._clock()

    def run(self, wait: Callable[[float], bool]) -> None:
        """Write at intervals until ``wait`` returns true, and once more at the end."""
        stopped = False
        while not stopped:
            stopped = wait(INTERVAL_SECONDS)
            with round_of(_log, interrupted="keys.uses_not_written", failed="keys.uses_failed"):
                self.write()

    def write(self) -> None:
        """Write what is not written; what cannot be written is kept for the next time, unless it was used again.

        Raises:
            OutageError: The records do not answer.
        """
        with self._lock:
            uses, self._last = self._last, {}
        if not uses:
            return
        try:
            self._records.note_uses(uses)
        except OutageError:
            with self._lock:
                self._last = uses | self._last
            raise
