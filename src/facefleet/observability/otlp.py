"""Spans by the OpenTelemetry SDK, sent as OTLP over HTTP in batches by a thread of its own.

A receiver that is away costs spans, counted, and never a request: the queue is bounded, so is the end. The SDK would
read ``OTEL_…`` by itself; everything it would look up there is handed to it (decision 0010).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from threading import Lock, Thread
from uuid import uuid4

from facefleet.config import Tracing
from facefleet.errors.input import ConfigInvalid
from facefleet.observability.logs import logger, silence
from facefleet.observability.tracing import Attribute, Count, Side, Span, context_of, entered

try:
    import requests
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
except ModuleNotFoundError as missing:
    raise ConfigInvalid(
        "Traces need OpenTelemetry, which is not installed: install facefleet[tracing], or unset tracing.endpoint.",
        setting="tracing.endpoint", missing=missing.name,
    ) from missing  # fmt: skip

CLOSE_SECONDS = 2.0
MAX_WAITING = 4_096  # spans; with the largest of ours about 4 MB
_BATCH = 512
_OF_A_BATCH = ("content-type", "content-encoding", "user-agent")
_DELAY_MS = 1_000
_KINDS = {
    Side.INTERNAL: trace.SpanKind.INTERNAL,
    Side.SERVER: trace.SpanKind.SERVER,
    Side.PRODUCER: trace.SpanKind.PRODUCER,
    Side.CONSUMER: trace.SpanKind.CONSUMER,
}

_log = logger(__name__)


class OtlpTracer:
    """Sends the spans of one program.

    Args:
        settings: With an endpoint.
        program: Comes after the service's name.
        count: Told what became of spans.
    """

    def __init__(self, settings: Tracing, program: str, count: Count) -> None:
        silence("opentelemetry")  # it would repeat with every batch what we count, and tell once
        self._outbox = _Outbox(_exporter(settings), count)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sample)),
            resource=_resource(settings.service, program),
            span_limits=_LIMITS,
            shutdown_on_exit=False,  # whoever built it closes it, for a bounded time
        )
        self._provider.add_span_processor(self._outbox)
        self._tracer = self._provider.get_tracer("facefleet", version("facefleet"))

    def open(self, name: str, side: Side, traceparent: str | None) -> AbstractContextManager[Span]:
        """See ``Tracer``."""
        return _opened(self._tracer, name, side, _remote(traceparent))

    def close(self) -> None:
        """Send what waits, for at most ``CLOSE_SECONDS``."""
        last = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        last.start()
        last.join(CLOSE_SECONDS)
        if left := self._outbox.waiting:
            _log.warning("traces.left", spans=left)


class _OtlpSpan:
    """One of the SDK's."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"

    def child(self, name: str, side: Side) -> AbstractContextManager[Span]:
        return _opened(self._tracer, name, side, self._inside())

    def past(self, name: str, began: int, ended: int) -> None:
        self._tracer.start_span(name, self._inside(), start_time=began).end(ended)

    def named(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, **attributes: Attribute) -> None:
        self._span.set_attributes(_dotted(attributes))

    def event(self, name: str, **attributes: Attribute) -> None:
        self._span.add_event(name, _dotted(attributes))

    def fail(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(trace.StatusCode.ERROR, code)

    def _inside(self) -> Context:
        return trace.set_span_in_context(self._span, Context())


@contextmanager
def _opened(tracer: trace.Tracer, name: str, side: Side, parent: Context) -> Iterator[Span]:
    span = tracer.start_span(name, parent, _KINDS[side])
    try:
        with entered(_OtlpSpan(tracer, span)) as one:
            yield one
    finally:
        span.end()


def _remote(traceparent: str | None) -> Context:
    """What the caller says it is in; nothing where it says nothing that can be read."""
    if traceparent is None or context_of(traceparent) != traceparent:
        return Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    sampled = trace.TraceFlags(int(flags, 16) & trace.TraceFlags.SAMPLED)
    caller = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=sampled)
    return trace.set_span_in_context(trace.NonRecordingSpan(caller), Context())


def _dotted(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {name.replace("__", "\0").replace("_", ".").replace("\0", "_"): v for name, v in attributes.items()}


class _Outbox(SpanProcessor):
    """The SDK's batches, with a count of what does not fit or does not arrive.

    The SDK drops in silence what its queue has no room for; here it is never handed more than fits.
    """

    def __init__(self, exporter: SpanExporter, count: Count) -> None:
        self._lock = Lock()
        self._count = count
        self.waiting = 0
        self._batches = BatchSpanProcessor(
            _Counted(exporter, self._went), max_queue_size=MAX_WAITING, schedule_delay_millis=_DELAY_MS,
            max_export_batch_size=_BATCH, export_timeout_millis=CLOSE_SECONDS * 1000,
        )  # fmt: skip

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            room = self.waiting < MAX_WAITING
            self.waiting += room
        if room:
            self._batches.on_end(span)
        else:
            self._count("full", 1)

    def shutdown(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._batches.force_flush(timeout_millis)

    def _went(self, outcome: str, spans: int) -> None:
        with self._lock:
            self.waiting -= spans
        self._count(outcome, spans)


class _Counted(SpanExporter):
    """Says when the receiver goes away and when it is back, and counts what it took."""

    def __init__(self, exporter: SpanExporter, count: Count) -> None:
        self._exporter = exporter
        self._count = count
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        self._count("undelivered" if away else "sent", len(spans))
        if away and not self._away:
            _log.warning("traces.away", spans=len(spans))
        elif self._away and not away:
            _log.info("traces.back")
        self._away = away
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Session(requests.Session):
    """Sends our headers and no others: the exporter would add those that the environment has for another receiver."""

    def __init__(self, ours: Mapping[str, str]) -> None:
        super().__init__()
        self.trust_env = False
        self._ours = ours

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        kept = {name: value for name, value in request.headers.items() if name.lower() in _OF_A_BATCH}
        request.headers = {**kept, **self._ours}
        return super().prepare_request(request)


def _exporter(settings: Tracing) -> SpanExporter:
    """No proxy, password file or header of the environment: settings say it all."""
    headers = {name.lower(): value.get_secret_value() for name, value in settings.headers.items()}
    return OTLPSpanExporter(
        endpoint=settings.endpoint,
        timeout=settings.timeout, compression=Compression.Gzip, session=_Session(headers),
        certificate_file=str(settings.ca_file or requests.utils.DEFAULT_CA_BUNDLE_PATH),
    )  # fmt: skip


def _resource(service: str, program: str) -> Resource:
    return Resource(
        {
            "service.name": f"{service}-{program}",
            "service.version": version("facefleet"),
            "service.instance.id": str(uuid4()),
            "process.pid": os.getpid(),
        }
    )


_LIMITS = SpanLimits(
    max_span_attributes=64, max_event_attributes=16, max_link_attributes=16, max_events=64, max_links=16,
    max_attributes=64, max_span_attribute_length=256, max_attribute_length=256,
)  # fmt: skip
