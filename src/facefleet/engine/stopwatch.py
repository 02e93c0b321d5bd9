"""Measures the steps of a fusion: milliseconds of each, the share that is done, and a place to end between two."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Checkpoint = Callable[[str, float], None]
"""Called with a step's name and the share of the work that is done when it has ended; may raise to end the work."""


class Stopwatch:
    """Milliseconds per step; a step that runs twice adds up.

    Args:
        clock: Seconds.
        checkpoint: Called at every lap.
    """

    def __init__(self, clock: Callable[[], float], checkpoint: Checkpoint | None = None) -> None:
        self._clock = clock
        self._checkpoint = checkpoint
        self._last = clock()
        self._done = self._ahead = 0
        self._share = 0.0
        self._timings_ms: dict[str, float] = {}

    @property
    def timings_ms(self) -> Mapping[str, float]:
        """Step to milliseconds, in the order the steps first ended."""
        return dict(self._timings_ms)

    def expect(self, laps: int) -> None:
        """State how many laps are still to come; may be corrected at any time, and the reported share never falls."""
        self._ahead = laps

    def lap(self, step: str) -> None:
        """The step has ended; what the checkpoint takes counts for no step."""
        self._timings_ms[step] = self._timings_ms.get(step, 0.0) + (self._clock() - self._last) * 1000
        self._done, self._ahead = self._done + 1, max(0, self._ahead - 1)
        if self._checkpoint is not None:
            # One more than expected: the caller still has something to do with the result.
            self._share = max(self._share, self._done / (self._done + self._ahead + 1))
            self._checkpoint(step, self._share)
        self._last = self._clock()
