"""Holds what one run of a task works with: record, leased engine, claim, and the time that each step took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from facefleet.engine.fusion import Engine
from facefleet.engine.inspector import Inspection, rejection
from facefleet.observability.tracing import span
from facefleet.safety.nsfw import stricter
from facefleet.tasks.task import Json, Task
from facefleet.worker.leases import Hold


class Timings:
    """Step → ms, in the order in which the steps were taken."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measure the block as this step; it becomes a span of the trace, too."""
        started = time.perf_counter()
        try:
            with span(step):
                yield
        finally:
            self.ms[step] = (time.perf_counter() - started) * 1000

    def rounded(self) -> dict[str, float]:
        """Step → ms with two decimals, as the record keeps them."""
        return {step: round(ms, 2) for step, ms in self.ms.items()}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a claimed task.

    Attributes:
        task: The record as it was claimed; its ``models`` are those of ``engine``.
        engine: Leased for this run; it stays the same until the run ends.
        hold: The claim; to be checked between two steps.
        timings: Filled step by step.
        nsfw_allow: Score from which on this tenant's photos are refused, where that is less than the service's.
        inspections: Filled photo by photo.
    """

    task: Task
    engine: Engine
    hold: Hold
    timings: Timings
    nsfw_allow: float | None = None
    inspections: list[Inspection] = field(default_factory=list)

    def judge(self, found: Inspection) -> None:
        """Note what an inspector found, and refuse what only this tenant's policy refuses.

        Raises:
            ContentRejected: It does.
        """
        judged = stricter(found, self.nsfw_allow)
        self.inspections.append(judged)
        if judged is not found:
            raise rejection(judged)

    @property
    def found(self) -> list[Json]:
        """The inspections as the record keeps them."""
        return [asdict(one) | {"score": round(one.score, 4)} for one in self.inspections]
