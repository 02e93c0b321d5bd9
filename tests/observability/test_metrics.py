from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from facefleet.observability.metrics import Depths, LaneSample, Metrics, RecordsSample, WebhookSample

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics-and-logs.md"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def watching() -> RecordsSample:
    return RecordsSample(
        [LaneSample("stable", "bulk", 7, 2, 12.5, paused=True)], maintenance=False, unsealed_seconds=0.5
    )


def pending() -> WebhookSample:
    return WebhookSample(3, 1.5)


def scraped(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_every_name_is_of_one_family_with_its_labels(metrics: Metrics) -> None:
    """Dashboards and alerts name these; none may change alone."""
    metrics.watch_queue(dict)
    metrics.watch_records(watching)
    metrics.watch_webhooks(pending)
    metrics.requests.labels("fuse", "accepted").inc()
    metrics.process_seconds.labels("fuse", "succeeded").observe(0.3)
    metrics.sweeps.labels("due").inc()
    metrics.deleted.labels("inputs").inc()
    metrics.retries.labels("fuse", "out_of_memory").inc()
    metrics.prepared.labels("target", "hit").inc()
    found = {family.name: family.type for family in metrics.registry.collect()}
    assert found == {
        "facefusion_remote_photos": "counter",
        "facefusion_uploads": "counter",
        "facefusion_requests": "counter",
        "facefusion_authentication_failures": "counter",
        "facefusion_rate_limited": "counter",
        "facefusion_rates_unchecked": "counter",
        "facefusion_process_seconds": "histogram",
        "facefusion_worker_slots": "gauge",
        "facefusion_worker_in_flight": "gauge",
        "facefusion_retries": "counter",
        "facefusion_prepared_photos": "counter",
        "facefusion_inspections": "counter",
        "facefusion_handed_back": "counter",
        "facefusion_leases_lost": "counter",
        "facefusion_outages": "counter",
        "facefusion_sweeper_actions": "counter",
        "facefusion_deleted": "counter",
        "facefusion_audit_entries": "counter",
        "facefusion_audit_seals": "counter",
        "facefusion_audit_faults": "counter",
        "facefusion_audit_unsealed_seconds": "gauge",
        "facefusion_watchers": "gauge",
        "facefusion_wakes": "counter",
        "facefusion_queue_depth": "gauge",
        "facefusion_queue_oldest_seconds": "gauge",
        "facefusion_tasks": "gauge",
        "facefusion_lane_paused": "gauge",
        "facefusion_maintenance": "gauge",
        "facefusion_spans": "counter",
        "facefusion_webhook_attempts": "counter",
        "facefusion_webhook_deliveries": "counter",
        "facefusion_webhooks_pending": "gauge",
        "facefusion_webhooks_late_seconds": "gauge",
    }
    value = metrics.registry.get_sample_value
    assert value("facefusion_requests_total", {"kind": "fuse", "outcome": "accepted"}) == 1
    assert value("facefusion_sweeper_actions_total", {"action": "due"}) == 1
    assert value("facefusion_retries_total", {"kind": "fuse", "code": "out_of_memory"}) == 1
    labels = {"kind": "fuse", "outcome": "succeeded"}
    assert value("facefusion_process_seconds_bucket", labels | {"le": "0.25"}) == 0
    assert value("facefusion_process_seconds_bucket", labels | {"le": "0.5"}) == 1


def test_the_reference_tells_every_metric_and_no_other(metrics: Metrics) -> None:
    metrics.watch_queue(dict)
    metrics.watch_records(watching)
    metrics.watch_webhooks(pending)
    ours = {f"{f.name}_total" if f.type == "counter" else f.name for f in metrics.registry.collect()}
    assert set(re.findall(r"^\| `(facefusion_\w+)` \|", REFERENCE.read_text(), re.MULTILINE)) == ours


def test_the_depth_is_read_at_every_scrape(metrics: Metrics) -> None:
    depths: dict[tuple[str, str], int] = {}
    metrics.watch_queue(lambda: depths)
    assert "facefusion_queue_depth{" not in scraped(metrics)
    depths["stable", "bulk"] = 7
    assert 'facefusion_queue_depth{lane="bulk",track="stable"} 7.0' in scraped(metrics)
    depths["stable", "bulk"] = 3
    assert 'facefusion_queue_depth{lane="bulk",track="stable"} 3.0' in scraped(metrics)


def test_what_the_records_say_is_read_at_every_scrape(metrics: Metrics) -> None:
    metrics.watch_records(watching)
    text = scraped(metrics)
    for line in (
        'facefusion_tasks{lane="bulk",state="queued",track="stable"} 7.0',
        'facefusion_tasks{lane="bulk",state="running",track="stable"} 2.0',
        'facefusion_queue_oldest_seconds{lane="bulk",track="stable"} 12.5',
        'facefusion_lane_paused{lane="bulk",track="stable"} 1.0',
        "facefusion_maintenance 0.0",
    ):
        assert line in text


def test_what_cannot_be_read_has_no_sample(metrics: Metrics) -> None:
    metrics.watch_queue(lambda: None)
    metrics.watch_records(lambda: None)
    metrics.watch_webhooks(lambda: None)
    samples = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    read = {"facefusion_queue_depth", "facefusion_tasks", "facefusion_maintenance", "facefusion_webhooks_pending"}
    assert not samples & read


def test_to_watch_a_part_does_not_ask_it(metrics: Metrics) -> None:
    """A gateway starts while the broker is away."""

    def away() -> Depths:
        raise AssertionError("asked")

    def gone() -> NoReturn:
        raise AssertionError("asked")

    metrics.watch_queue(away)
    metrics.watch_records(gone)
    metrics.watch_webhooks(gone)


def test_two_programs_in_one_process_count_apart() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.sweeps.labels("due").inc()
    assert second.registry.get_sample_value("facefusion_sweeper_actions_total", {"action": "due"}) is None


# One process of several: counts, tells that it has, and waits until its parent has looked.
CHILD = """
import sys
from prometheus_client import CollectorRegistry
from facefleet.observability.metrics import Metrics
metrics = Metrics(CollectorRegistry())
metrics.slots.labels("stable").set(2)
metrics.in_flight.labels("fuse").inc()
metrics.retries.labels("fuse", "out_of_memory").inc()
metrics.process_seconds.labels("fuse", "succeeded").observe(0.3)
metrics.on_outage("broker")()
print("counted", flush=True)
sys.stdin.readline()
"""

# What a parent shows of its children, those that died without a word left out of what is true now.
PARENT = """
import sys
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
for pid in sys.argv[1:]:
    mark_process_dead(int(pid))
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_processes_that_share_a_folder_add_up_and_the_dead_hold_no_slots(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def shown(*dead: int) -> str:
        command = [sys.executable, "-c", PARENT, *map(str, dead)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def child() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", CHILD]
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    children = [child(), child()]
    try:
        for one in children:
            assert one.stdout is not None
            assert one.stdout.readline() == b"counted\n"
        both = shown()
        children[0].kill()
        children[0].wait()
        after = shown(children[0].pid)
    finally:
        for one in children:
            one.kill()
            one.communicate()
    assert 'facefusion_worker_slots{track="stable"} 4.0' in both
    assert 'facefusion_worker_in_flight{kind="fuse"} 2.0' in both
    assert 'facefusion_worker_slots{track="stable"} 2.0' in after
    assert 'facefusion_worker_in_flight{kind="fuse"} 1.0' in after
    for text in (both, after):  # what was counted stays counted
        assert 'facefusion_retries_total{code="out_of_memory",kind="fuse"} 2.0' in text
        assert 'facefusion_process_seconds_count{kind="fuse",outcome="succeeded"} 2.0' in text
        assert 'facefusion_outages_total{part="broker"} 2.0' in text
