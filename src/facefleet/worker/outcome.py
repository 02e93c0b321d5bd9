"""What a run made, whatever its kind: a picture to store, words to keep with the record, and the time of each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Update

from facefleet.media.sniff import ImageType
from facefleet.observability.tracing import span
from facefleet.tasks.task import Json
from facefleet.worker.leases import Hold


class Timings:
    """Step → ms, in the order in which they were taken."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Keep how long the block takes, in the trace too."""
        started = time.perf_counter()
        try:
            with span(step):
                yield
        finally:
            self.ms[step] = (time.perf_counter() - started) * 1000

    def rounded(self) -> dict[str, float]:
        """As they are kept."""
        return {step: round(ms, 2) for step, ms in self.ms.items()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run made.

    Attributes:
        image: A file, to be stored as the result.
        media_type: Of it.
        output: Words; of a fusion, those about its picture.
        beside: Changes of other records that become true with the success.
    """

    image: bytes | None = field(default=None, repr=False)
    media_type: ImageType | None = None
    output: Json | None = None
    beside: Sequence[Update] = ()


Work = Callable[[Hold, Timings], Outcome]
"""What a kind of task does under a claim."""
