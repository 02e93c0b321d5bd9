"""Metrics: every name is here. Each program builds one ``Metrics`` on its own registry and hands it down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Depths = Mapping[tuple[str, str], int]  # (track, lane) → messages waiting

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The counters and histograms of one program."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter(
            "facefusion_requests_total", "Fusion requests by what became of them at the door.",
            ["kind", "outcome"], registry=registry,
        )  # fmt: skip
        self.process_seconds = Histogram(
            "facefusion_process_seconds", "s from claim to the end of a run.",
            ["kind", "outcome"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.sweeps = Counter(
            "facefusion_sweeper_actions_total", "What the sweeper put right.", ["action"], registry=registry
        )

        self.deleted = Counter(
            "facefusion_deleted_total", "What retention and erasure deleted.", ["what"], registry=registry
        )

    def watch_queue(self, depths: Callable[[], Depths]) -> None:
        """Read the depth of the queue at every scrape."""
        self.registry.register(_QueueDepth(depths))


class _QueueDepth(Collector):
    def __init__(self, depths: Callable[[], Depths]) -> None:
        self._depths = depths

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        for (track, lane), waiting in self._depths().items():
            family.add_metric([track, lane], waiting)
        return [family]

    @staticmethod
    def _family() -> GaugeMetricFamily:
        return GaugeMetricFamily("facefusion_queue_depth", "Messages waiting in the broker.", labels=["track", "lane"])
