"""When a failed run is tried again. The class of the error says whether; this says when, and when to give up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from facefleet.errors import AttemptsExhausted, FacefleetError

_LONGEST = timedelta(minutes=5)
_MOST_DOUBLINGS = 20  # a delay that doubles on without end is more than a timedelta holds


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", 2015).

    Attributes:
        max_failures: The run that fails for this many times is the last.
        first: Upper bound of the first delay; it doubles with each failure, up to five minutes.
    """

    max_failures: int
    first: timedelta

    def delay(self, failures: int, jitter: random.Random) -> timedelta:
        """How long to wait after the ``failures``-th failure (1, 2, …)."""
        bound: timedelta = min(_LONGEST, self.first * 2 ** min(failures - 1, _MOST_DOUBLINGS))
        return bound * jitter.uniform(0.5, 1.0)

    def verdict(self, error: FacefleetError, failures: int) -> FacefleetError | None:
        """The error to end the task with; none when it should be tried again.

        Args:
            error: What the run met.
            failures: Retryable failures, this one included.
        """
        if not error.retryable:
            return error
        if failures < self.max_failures:
            return None
        return AttemptsExhausted(
            f"Gave up after {failures} attempts; the last met {error.code}: {error.message}",
            attempts=failures, cause=error.code,
        )  # fmt: skip
