from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from facefleet.observability.metrics import Depths, Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def test_every_name_is_of_one_family_with_its_labels(metrics: Metrics) -> None:
    """Dashboards and alerts name these; none may change alone."""
    metrics.watch_queue(dict)
    metrics.requests.labels("fuse", "accepted").inc()
    metrics.process_seconds.labels("fuse", "succeeded").observe(0.3)
    metrics.sweeps.labels("due").inc()
    metrics.deleted.labels("inputs").inc()
    found = {family.name: family.type for family in metrics.registry.collect()}
    assert found == {
        "facefusion_requests": "counter",
        "facefusion_process_seconds": "histogram",
        "facefusion_sweeper_actions": "counter",
        "facefusion_deleted": "counter",
        "facefusion_queue_depth": "gauge",
    }
    value = metrics.registry.get_sample_value
    assert value("facefusion_requests_total", {"kind": "fuse", "outcome": "accepted"}) == 1
    assert value("facefusion_sweeper_actions_total", {"action": "due"}) == 1
    labels = {"kind": "fuse", "outcome": "succeeded"}
    assert value("facefusion_process_seconds_bucket", labels | {"le": "0.25"}) == 0
    assert value("facefusion_process_seconds_bucket", labels | {"le": "0.5"}) == 1


def test_the_depth_is_read_at_every_scrape(metrics: Metrics) -> None:
    depths: dict[tuple[str, str], int] = {}
    metrics.watch_queue(lambda: depths)
    text = generate_latest(metrics.registry).decode()
    assert "facefusion_queue_depth{" not in text
    depths["stable", "bulk"] = 7
    assert 'facefusion_queue_depth{lane="bulk",track="stable"} 7.0' in generate_latest(metrics.registry).decode()
    depths["stable", "bulk"] = 3
    assert 'facefusion_queue_depth{lane="bulk",track="stable"} 3.0' in generate_latest(metrics.registry).decode()


def test_to_watch_the_queue_does_not_ask_the_broker(metrics: Metrics) -> None:
    """A gateway starts while the broker is away."""

    def away() -> Depths:
        raise AssertionError("asked")

    metrics.watch_queue(away)


def test_two_programs_in_one_process_count_apart() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.sweeps.labels("due").inc()
    assert second.registry.get_sample_value("facefusion_sweeper_actions_total", {"action": "due"}) is None
