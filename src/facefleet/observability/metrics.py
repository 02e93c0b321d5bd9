"""Defines every metric. Each program builds one ``Metrics`` on its own registry and hands it down.

Counts may be spread over processes (``PROMETHEUS_MULTIPROC_DIR``): gauges say how they add up. Values read at a scrape
are the gateway's alone; they have no sample while the part that is asked is away: a zero would say that nothing waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

Depths = Mapping[tuple[str, str], int]  # (track, lane) → messages waiting
Part = Literal["records", "store", "broker"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LANE = ("track", "lane")
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable that names the folder in which processes count together


@dataclass(frozen=True, slots=True)
class LaneSample:
    """Tasks of one lane, by the records.

    Attributes:
        oldest_seconds: How long the queued task that has waited longest could have run; 0 where none waits.
    """

    track: str
    lane: str
    queued: int
    running: int
    oldest_seconds: float
    paused: bool


@dataclass(frozen=True, slots=True)
class RecordsSample:
    """Tasks of all lanes, the maintenance switch and the audit log, by the records.

    Attributes:
        unsealed_seconds: How long the oldest entry of the audit log has waited for its seal; 0 where none waits.
    """

    lanes: Sequence[LaneSample]
    maintenance: bool
    unsealed_seconds: float


@dataclass(frozen=True, slots=True)
class WebhookSample:
    """Webhook deliveries that have not ended, by the records.

    Attributes:
        pending: Not at their end, those that wait for another attempt included.
        late_seconds: How long the one that is due first has been due; 0 where none is.
    """

    pending: int
    late_seconds: float


def ignore_outage() -> None:
    """Count nothing: the default of parts that report their outages."""


class Metrics:
    """Holds the metrics of one program: those it counts, and those that a scrape reads.

    Args:
        registry: Of what this process counts.
        shared: Folder in which the processes of this program count together; None: it is one process.

    Attributes:
        scraped: What a scrape shows: the counts of all processes, and what is read at a scrape.
    """

    def __init__(self, registry: CollectorRegistry, *, shared: str | None = None) -> None:
        self.registry = registry
        self.scraped = registry
        if shared is not None:
            self.scraped = CollectorRegistry()
            MultiProcessCollector(self.scraped, path=shared)  # type: ignore[no-untyped-call]
        self.requests = Counter(
            "facefusion_requests_total", "Requests for tasks by their outcome.",
            ["kind", "outcome"], registry=registry,
        )  # fmt: skip
        self.authentication_failures = Counter(
            "facefusion_authentication_failures_total", "Requests that were let in by no credential, by the reason.",
            ["reason"], registry=registry,
        )  # fmt: skip
        self.rate_limited = Counter(
            "facefusion_rate_limited_total", "Requests that were one too many, by the limit.",
            ["limit"], registry=registry,
        )  # fmt: skip
        self.rates_unchecked = Counter(
            "facefusion_rates_unchecked_total", "Requests that passed since what counts them did not answer.",
            registry=registry,
        )  # fmt: skip
        self.process_seconds = Histogram(
            "facefusion_process_seconds", "s from claim to the end of a run.",
            ["kind", "outcome"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.slots = Gauge(
            "facefusion_worker_slots", "Tasks that ready workers can run at once.",
            ["track"], multiprocess_mode="livesum", registry=registry,
        )  # fmt: skip
        self.in_flight = Gauge(
            "facefusion_worker_in_flight", "Tasks that workers run.",
            ["kind"], multiprocess_mode="livesum", registry=registry,
        )  # fmt: skip
        self.retries = Counter(
            "facefusion_retries_total", "Runs that ended in a retry, by the code of the error.",
            ["kind", "code"], registry=registry,
        )  # fmt: skip
        self.handed_back = Counter(
            "facefusion_handed_back_total", "Tasks that a leaving worker handed back.", ["kind"], registry=registry
        )
        self.leases_lost = Counter(
            "facefusion_leases_lost_total", "Claims that were lost before their run ended.", ["kind"], registry=registry
        )
        self.prepared = Counter(
            "facefusion_prepared_photos_total", "Photos of fusions by whether they were prepared already.",
            ["photo", "outcome"], registry=registry,
        )  # fmt: skip
        self.inspections = Counter(
            "facefusion_inspections_total", "Inspections of photos and results, remembered ones included.",
            ["check", "role", "verdict"], registry=registry,
        )  # fmt: skip
        self.outages = Counter(
            "facefusion_outages_total", "Calls that a part did not answer.", ["part"], registry=registry
        )
        self.sweeps = Counter(
            "facefusion_sweeper_actions_total", "Repairs by the sweeper.", ["action"], registry=registry
        )
        self.deleted = Counter(
            "facefusion_deleted_total",
            "Objects and rows that retention and erasure deleted.",
            ["what"],
            registry=registry,
        )

        self.audit_entries = Counter(
            "facefusion_audit_entries_total", "Entries of the audit log, counted when they are sealed.",
            ["action", "outcome"], registry=registry,
        )  # fmt: skip
        self.audit_seals = Counter(
            "facefusion_audit_seals_total", "Seals over entries of the audit log.", registry=registry
        )
        self.audit_faults = Counter(
            "facefusion_audit_faults_total", "What was found not to be as it was sealed, each time that it was found.",
            ["fault"], registry=registry,
        )  # fmt: skip

        self.uploads = Counter(
            "facefusion_uploads_total", "Uploads that were announced, and that came through the gateway.",
            ["step"], registry=registry,
        )  # fmt: skip
        self.webhook_attempts = Counter(
            "facefusion_webhook_attempts_total", "Attempts to deliver by their outcome.", ["outcome"], registry=registry
        )
        self.webhook_deliveries = Counter(
            "facefusion_webhook_deliveries_total", "Deliveries that came to an end.",
            ["event", "outcome"], registry=registry,
        )  # fmt: skip
        self.remote_photos = Counter(
            "facefusion_remote_photos_total", "Photos that were fetched by URL, by the code of what went wrong.",
            ["outcome"], registry=registry,
        )  # fmt: skip
        self.watchers = Gauge(
            "facefusion_watchers", "Clients that wait for a change of a task.",
            ["how"], multiprocess_mode="livesum", registry=registry,
        )  # fmt: skip
        self.wakes = Counter(
            "facefusion_wakes_total",
            "Messages that wake those who wait for a change of a record.",
            ["outcome"],
            registry=registry,
        )

        self.spans = Counter(
            "facefusion_spans_total", "Spans of traces by whether they were sent.", ["outcome"], registry=registry
        )

    def count_spans(self, outcome: str, spans: int) -> None:
        """Count spans that were sent, had no room, or were not delivered."""
        self.spans.labels(outcome).inc(spans)

    def on_outage(self, part: Part) -> Callable[[], None]:
        """A function that counts one outage of the part; the part has a sample from now on, 0 before the first."""
        return self.outages.labels(part).inc

    def watch_queue(self, depths: Callable[[], Depths | None]) -> None:
        """Read the depth of the queue at every scrape; none where the broker is away."""
        self.scraped.register(_ReadAtScrape(lambda: _queue(depths() or {})))

    def watch_records(self, sample: Callable[[], RecordsSample | None]) -> None:
        """Read the tasks of all lanes at every scrape; none where the records are away."""
        self.scraped.register(_ReadAtScrape(lambda: _records(sample())))

    def watch_webhooks(self, sample: Callable[[], WebhookSample | None]) -> None:
        """Read the pending deliveries at every scrape; none where the records are away."""
        self.scraped.register(_ReadAtScrape(lambda: _webhooks(sample())))


class _ReadAtScrape(Collector):
    """Reads families at a scrape, and not when it is registered: a program can start while other parts are away."""

    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._families()


def _queue(depths: Depths) -> Iterable[Metric]:
    family = GaugeMetricFamily("facefusion_queue_depth", "Messages waiting in the broker.", labels=_LANE)
    for lane, waiting in depths.items():
        family.add_metric(lane, waiting)
    return [family]


def _records(sample: RecordsSample | None) -> Iterable[Metric]:
    tasks = GaugeMetricFamily("facefusion_tasks", "Unfinished tasks in the records.", labels=(*_LANE, "state"))
    oldest = GaugeMetricFamily(
        "facefusion_queue_oldest_seconds", "s that the oldest queued task has waited.", labels=_LANE
    )
    paused = GaugeMetricFamily("facefusion_lane_paused", "1 where operators paused the lane.", labels=_LANE)
    maintenance = GaugeMetricFamily("facefusion_maintenance", "1 while maintenance refuses new work.")
    unsealed = GaugeMetricFamily(
        "facefusion_audit_unsealed_seconds", "s that the oldest entry of the audit log has waited for its seal."
    )
    if sample is not None:
        maintenance.add_metric((), sample.maintenance)
        unsealed.add_metric((), sample.unsealed_seconds)
        for lane in sample.lanes:
            name = (lane.track, lane.lane)
            tasks.add_metric((*name, "queued"), lane.queued)
            tasks.add_metric((*name, "running"), lane.running)
            oldest.add_metric(name, lane.oldest_seconds)
            paused.add_metric(name, lane.paused)
    return [tasks, oldest, paused, maintenance, unsealed]


def _webhooks(sample: WebhookSample | None) -> Iterable[Metric]:
    pending = GaugeMetricFamily("facefusion_webhooks_pending", "Deliveries that have not come to an end.")
    late = GaugeMetricFamily("facefusion_webhooks_late_seconds", "s that the delivery due first has been due.")
    if sample is not None:
        pending.add_metric((), sample.pending)
        late.add_metric((), sample.late_seconds)
    return [pending, late]
