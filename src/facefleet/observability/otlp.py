"""Records spans with the OpenTelemetry SDK, and sends them as OTLP over HTTP from a thread of their own.

Where the receiver is away spans are dropped and counted, and no request waits: the queue and the time to close are
bounded. By itself the SDK would read ``OTEL_…``; all that it would look up there is passed to it (decision 0010).
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
from facefleet.observability.logs import logger, mute_library
from facefleet.observability.tracing import Attribute, Count, Span, SpanKind, as_current, traceparent_or_new

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
_EXPORT_SPANS = 512
_EXPORTER_HEADERS = ("content-type", "content-encoding", "user-agent")
_EXPORT_INTERVAL_MS = 1_000
_KINDS = {
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.PRODUCER: trace.SpanKind.PRODUCER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}

_log = logger(__name__)


class OtlpTracer:
    """Records and sends the spans of one program.

    Args:
        settings: With an endpoint.
        program: Follows the service's name, as in ``facefleet-worker``.
        count: Called with what became of spans.
    """

    def __init__(self, settings: Tracing, program: str, count: Count) -> None:
        mute_library("opentelemetry")  # it would repeat with every export what we count, and log once
        self._processor = _BoundedProcessor(_exporter(settings), count)
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sample)),
            resource=_resource(settings.service, program),
            span_limits=_LIMITS,
            shutdown_on_exit=False,  # whoever built it closes it, for a bounded time
        )
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("facefleet", version("facefleet"))

    def open(self, name: str, kind: SpanKind, traceparent: str | None) -> AbstractContextManager[Span]:
        """See ``Tracer``."""
        return _open_span(self._tracer, name, kind, _caller_context(traceparent))

    def close(self) -> None:
        """Send the spans that wait, for at most ``CLOSE_SECONDS``."""
        shutdown = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        shutdown.start()
        shutdown.join(CLOSE_SECONDS)
        if left := self._processor.waiting:
            _log.warning("traces.left", spans=left)


class _OtlpSpan:
    """Wraps a span of the SDK."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"

    def child(self, name: str, kind: SpanKind) -> AbstractContextManager[Span]:
        return _open_span(self._tracer, name, kind, self._context())

    def add_ended_child(self, name: str, began: int, ended: int) -> None:
        self._tracer.start_span(name, self._context(), start_time=began).end(ended)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, **attributes: Attribute) -> None:
        self._span.set_attributes(_dotted(attributes))

    def event(self, name: str, **attributes: Attribute) -> None:
        self._span.add_event(name, _dotted(attributes))

    def fail(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(trace.StatusCode.ERROR, code)

    def _context(self) -> Context:
        return trace.set_span_in_context(self._span, Context())


@contextmanager
def _open_span(tracer: trace.Tracer, name: str, kind: SpanKind, parent: Context) -> Iterator[Span]:
    span = tracer.start_span(name, parent, _KINDS[kind])
    try:
        with as_current(_OtlpSpan(tracer, span)) as opened:
            yield opened
    finally:
        span.end()


def _caller_context(traceparent: str | None) -> Context:
    """The context of the caller's span; an empty one where its trace context is missing or malformed."""
    if traceparent is None or traceparent_or_new(traceparent) != traceparent:
        return Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    sampled = trace.TraceFlags(int(flags, 16) & trace.TraceFlags.SAMPLED)
    caller = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=sampled)
    return trace.set_span_in_context(trace.NonRecordingSpan(caller), Context())


def _dotted(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {name.replace("__", "\0").replace("_", ".").replace("\0", "_"): v for name, v in attributes.items()}


class _BoundedProcessor(SpanProcessor):
    """Exports spans through the SDK's processor, and counts those that do not fit or do not arrive.

    The SDK drops spans that its queue has no room for without a word; here it is never given more than fit.
    """

    def __init__(self, exporter: SpanExporter, count: Count) -> None:
        self._lock = Lock()
        self._count = count
        self.waiting = 0
        self._sdk_processor = BatchSpanProcessor(
            _CountingExporter(exporter, self._exported), max_queue_size=MAX_WAITING,
            schedule_delay_millis=_EXPORT_INTERVAL_MS, max_export_batch_size=_EXPORT_SPANS,
            export_timeout_millis=CLOSE_SECONDS * 1000,
        )  # fmt: skip

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            room = self.waiting < MAX_WAITING
            self.waiting += room
        if room:
            self._sdk_processor.on_end(span)
        else:
            self._count("full", 1)

    def shutdown(self) -> None:
        self._sdk_processor.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._sdk_processor.force_flush(timeout_millis)

    def _exported(self, outcome: str, spans: int) -> None:
        with self._lock:
            self.waiting -= spans
        self._count(outcome, spans)


class _CountingExporter(SpanExporter):
    """Counts the spans that the receiver took, and logs when it goes away and when it is back."""

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


class _OwnHeadersSession(requests.Session):
    """Sends our headers and no others: the exporter would add those that the environment has for another receiver."""

    def __init__(self, ours: Mapping[str, str]) -> None:
        super().__init__()
        self.trust_env = False
        self._ours = ours

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        kept = {name: value for name, value in request.headers.items() if name.lower() in _EXPORTER_HEADERS}
        request.headers = {**kept, **self._ours}
        return super().prepare_request(request)


def _exporter(settings: Tracing) -> SpanExporter:
    """The SDK's exporter by our settings alone: without proxy, password file or headers of the environment."""
    headers = {name.lower(): value.get_secret_value() for name, value in settings.headers.items()}
    return OTLPSpanExporter(
        endpoint=settings.endpoint,
        timeout=settings.timeout, compression=Compression.Gzip, session=_OwnHeadersSession(headers),
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
