"""Decides whether and when a failed run is tried again, by the class of its error and the retry budget."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from facefleet.errors.base import FacefleetError
from facefleet.errors.model import OutOfMemory
from facefleet.errors.outage import OutageError
from facefleet.errors.task import AttemptsExhausted

_MEMORY = timedelta(seconds=60)  # until other tasks run beside one that did not fit into memory
_LONGEST = timedelta(minutes=5)
_MOST_DOUBLINGS = 20  # a delay that doubles on without end is more than a timedelta holds


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", 2015).

    Attributes:
        max_failures: The retry budget: with this many failures that count, the task fails.
        first: Upper bound of the first delay; it doubles with each run, up to five minutes.
    """

    max_failures: int
    first: timedelta

    def delay(self, error: FacefleetError, runs: int, jitter: random.Random) -> timedelta:
        """How long to wait after the ``runs``-th run (1, 2, …)."""
        if isinstance(error, OutOfMemory):
            return _MEMORY
        bound: timedelta = min(_LONGEST, self.first * 2 ** min(runs - 1, _MOST_DOUBLINGS))
        return bound * jitter.uniform(0.5, 1.0)

    def spends(self, error: FacefleetError) -> bool:
        """Whether a failure spends the budget: an outage does not, so only the deadline ends the task."""
        return not isinstance(error, OutageError)

    def verdict(self, error: FacefleetError, failures: int) -> FacefleetError | None:
        """The error to end the task with; none when it should be tried again.

        Args:
            error: What the run met.
            failures: That spent the budget, this one included.
        """
        if not error.retryable:
            return error
        if failures < self.max_failures or not self.spends(error):
            return None
        return AttemptsExhausted(
            f"Gave up after {failures} attempts; the last met {error.code}: {error.message}",
            attempts=failures, cause=error.code,
        )  # fmt: skip
