"""Spans reach a real receiver with their parents; one that is away costs spans and no time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from tests.receiver import Receiver
from tests.servers import free_port

from facefleet.config import Tracing
from facefleet.errors.input import FaceNotFound
from facefleet.observability.metrics import Metrics
from facefleet.observability.otlp import CLOSE_SECONDS, MAX_WAITING
from facefleet.observability.tracing import (
    NO_SPAN,
    SpanKind,
    current,
    open_tracer,
    span,
    trace_id_of,
    trace_steps,
    traceparent_or_new,
)

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def count(metrics: Metrics, outcome: str) -> float:
    return metrics.registry.get_sample_value("facefusion_spans_total", {"outcome": outcome}) or 0.0


def test_spans_of_several_threads_do_not_mix(receiver: Receiver, metrics: Metrics) -> None:
    tracer = open_tracer(Tracing(endpoint=receiver.endpoint), "worker", metrics.count_spans)
    together = Barrier(4)

    def work(number: int) -> None:
        with tracer.open("task.handle", SpanKind.CONSUMER, None) as handling:
            handling.set(number=number)

            def meet(step: str, share: float) -> None:
                together.wait()

            checkpoint = trace_steps("engine", meet)
            checkpoint("detect", 0.5)
            with span("store") as storing:
                storing.set(number=number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    tracer.close()
    roots = {one.attributes["number"]: one for one in receiver.named("task.handle")}
    assert len(roots) == 4
    assert len({one.trace for one in roots.values()}) == 4
    for one in receiver.named("store"):
        root = roots[one.attributes["number"]]
        assert (one.trace, one.parent) == (root.trace, root.id)
    assert {one.parent for one in receiver.named("engine.detect")} == {one.id for one in roots.values()}
    assert count(metrics, "sent") == 12
    assert current() is NO_SPAN


def test_a_callers_trace_goes_on_and_an_error_has_our_code(receiver: Receiver, metrics: Metrics) -> None:
    secret = {"authorization": SecretStr("Bearer one")}
    tracer = open_tracer(Tracing(endpoint=receiver.endpoint, headers=secret), "gateway", metrics.count_spans)
    with pytest.raises(FaceNotFound), tracer.open("GET", SpanKind.SERVER, CALLER), span("claim"):
        raise FaceNotFound("No face in /secret/photo.jpg.")
    tracer.close()
    (root,) = receiver.named("GET")
    assert (root.trace, root.parent, root.service) == (CALLER[3:35], CALLER[36:52], "facefleet-gateway")
    assert receiver.named("claim")[0].attributes["error.type"] == FaceNotFound.code
    assert b"secret" not in receiver.raw
    assert receiver.headers[0]["authorization"] == "Bearer one"


@pytest.mark.parametrize(("sample", "caller", "sent"), [(1.0, CALLER[:-1] + "0", 0), (0.0, None, 0), (0.0, CALLER, 1)])
def test_the_caller_decides_and_else_the_ratio(
    receiver: Receiver, metrics: Metrics, sample: float, caller: str | None, sent: int
) -> None:
    tracer = open_tracer(Tracing(endpoint=receiver.endpoint, sample=sample), "gateway", metrics.count_spans)
    with tracer.open("GET", SpanKind.SERVER, caller) as root:
        assert root.traceparent is not None
        assert root.traceparent.endswith(f"-0{sent}")
    tracer.close()
    assert len(receiver.spans) == sent


def test_a_receiver_that_is_away_costs_spans_and_no_time(metrics: Metrics) -> None:
    tracer = open_tracer(Tracing(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces"), "worker", metrics.count_spans)
    began = time.monotonic()
    for _ in range(MAX_WAITING + 100):
        with tracer.open("task.handle", SpanKind.CONSUMER, None):
            pass
    spent = time.monotonic() - began
    began = time.monotonic()
    tracer.close()
    assert time.monotonic() - began < CLOSE_SECONDS + 0.5
    assert spent < 3
    assert count(metrics, "full") >= 100
    assert count(metrics, "full") + count(metrics, "undelivered") <= MAX_WAITING + 100


def test_the_environment_of_other_programs_changes_nothing(
    receiver: Receiver, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=another")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    tracer = open_tracer(Tracing(endpoint=receiver.endpoint), "gateway", metrics.count_spans)
    with tracer.open("GET", SpanKind.SERVER, None) as root:
        root.set(task_id="t", http_response_status__code=200)
    tracer.close()
    (found,) = receiver.spans
    assert found.service == "facefleet-gateway"
    assert found.attributes == {"task.id": "t", "http.response.status_code": 200}
    assert "authorization" not in receiver.headers[0]


def test_what_is_off_traces_nothing_and_loads_nothing() -> None:
    """A broker's client loads a part of the SDK by itself where it is installed; we load none."""
    code = (
        "import sys; from facefleet.config import load; from facefleet.observability.tracing import *\n"
        "t = open_tracer(load().tracing, 'gateway', print)\n"
        "with t.open('GET', SpanKind.SERVER, None) as s: assert s is NO_SPAN and span('x') is NO_SPAN\n"
        "print([m for m in sys.modules if m.startswith(('opentelemetry', 'requests', 'google'))])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACEFLEET_TRACING")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_trace_context_is_kept_or_made() -> None:
    assert traceparent_or_new(CALLER) == CALLER
    for other in (None, "", "00-zz-nonsense", "00-" + "0" * 32 + CALLER[35:]):
        made = traceparent_or_new(other)
        assert made != other
        assert trace_id_of(made) == made[3:35]
        assert trace_id_of(other) is None
