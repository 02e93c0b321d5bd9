"""Lets pages of listed origins use the gateway from a browser (CORS): answers their preflights and marks their answers.

They come with a bearer credential that they hold themselves; cookies are never allowed to come along.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = "GET, POST, PUT, DELETE"
_SENT = "Authorization, Content-Type, Idempotency-Key, Prefer, Last-Event-ID, traceparent"
_SHOWN = "Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-ID"
_KEPT_SECONDS = 600  # that a browser remembers a preflight
_VARY = (b"vary", b"Origin")  # also where none was sent: a cache must not give that answer to an origin


class CrossOrigin:
    """Stands outside of authentication and limits: a preflight has no credential, and a refusal must be readable, too.

    A request from any other origin goes on as if there were no such layer, and so its page cannot read the answer.

    Args:
        app: The layers inside.
        origins: Those that are let in, written as browsers send them.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or pass the request on and mark its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = self._allowed(scope)
        if origin and _is_preflight(scope):
            await _preflight(origin)(scope, receive, send)
            return
        marks = [_VARY, *(_marks(origin) if origin else ())]

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *marks]
            await send(message)

        await self._app(scope, receive, send_marked)

    def _allowed(self, scope: Scope) -> bytes | None:
        """The origin of the request where it is one of ours; of several headers, none."""
        sent = _values(scope, b"origin")
        return sent[0] if len(sent) == 1 and sent[0] in self._origins else None


def _is_preflight(scope: Scope) -> bool:
    return scope["method"] == "OPTIONS" and bool(_values(scope, b"access-control-request-method"))


def _preflight(origin: bytes) -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Origin": origin.decode(),
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _SENT,
            "Access-Control-Max-Age": str(_KEPT_SECONDS),
            "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        },
    )


def _marks(origin: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _SHOWN.encode()),
        (b"cross-origin-resource-policy", b"cross-origin"),
    ]


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]
