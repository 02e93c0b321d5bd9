"""Puts every request into a trace, the caller's or a new one, whether spans are sent or not.

It is the outermost of our layers, so that the log lines of all others carry the trace id.
"""

from __future__ import annotations

from http import HTTPMethod

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.gateway.endpoints import endpoint_of
from facefleet.gateway.problems import CODE, TRACE_ID
from facefleet.observability.logs import bound
from facefleet.observability.tracing import NoTracer, Span, SpanKind, Tracer, trace_id_of, traceparent_or_new

_HEADER = b"traceparent"
_SERVER_ERROR = 500
_METHODS = frozenset(HTTPMethod)


class RequestTracing:
    """Opens a span for each request and puts its context into the ``traceparent`` of what goes on inside.

    Every participant of a trace does so (W3C Trace Context 2.3); the layers inside need to know one header only. A span
    has the route's template, not the path; no query, no header, no address.

    Args:
        app: The layers inside.
        tracer: Where spans begin.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace a request; what machines ask every few seconds has no span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller = _caller(scope)
        endpoint = endpoint_of(scope)
        tracer = NoTracer() if endpoint and endpoint.polled else self._tracer
        method = scope["method"] if scope["method"] in _METHODS else "HTTP"
        with tracer.open(method, SpanKind.SERVER, caller) as span:
            context = span.traceparent or traceparent_or_new(caller)
            inside = _inside(scope, context)
            with bound(trace_id=inside["state"][TRACE_ID]):
                try:
                    await self._app(inside, receive, _note_status(span, inside, send))
                finally:
                    _describe(span, method, inside)


def _caller(scope: Scope) -> str | None:
    """The caller's trace context; of several, none (W3C Trace Context 3.2.1)."""
    values = [value for name, value in scope["headers"] if name == _HEADER]
    return values[0].decode("latin-1").strip() if len(values) == 1 else None


def _inside(scope: Scope, context: str) -> Scope:
    others = [(name, value) for name, value in scope["headers"] if name != _HEADER]
    state = {**scope.get("state", {}), TRACE_ID: trace_id_of(context)}
    return {**scope, "state": state, "headers": [*others, (_HEADER, context.encode())]}


def _note_status(span: Span, scope: Scope, send: Send) -> Send:
    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            span.set(http_response_status__code=status)
            if code := scope["state"].get(CODE):
                span.set(error_type=code)
            if status >= _SERVER_ERROR:
                span.fail(code or str(status))
        await send(message)

    return note


def _describe(span: Span, method: str, scope: Scope) -> None:
    """Name the span by its route, which is known only when the request was routed."""
    span.set(http_request_method=method, url_scheme=scope["scheme"])
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.set(http_route=route)
        span.rename(f"{method} {route}")
