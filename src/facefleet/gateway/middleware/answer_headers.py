"""Adds to every answer the headers that layers further inside have noted, and those that protect browsers."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.gateway.caller import SECURE
from facefleet.gateway.problems import ANSWER_HEADERS

# An answer with such a header of its own keeps it: pages say what they need.
_PROTECTION = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class AnswerHeaders:
    """Stands outside of what makes documents of problems, so that refusals have the headers, too.

    Args:
        app: The layers inside.
        hsts_seconds: That a browser shall keep to TLS; told to those that came by it, who alone may believe it (RFC
            6797, section 7.2). 0: not told.
    """

    def __init__(self, app: ASGIApp, *, hsts_seconds: int) -> None:
        self._app = app
        self._hsts = ((b"strict-transport-security", f"max-age={hsts_seconds}".encode()),) if hsts_seconds else ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope["state"]  # kept here: the layers inside may copy the scope, but share its state

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                own = {name.lower() for name, _ in headers}
                protection = (header for header in _PROTECTION if header[0] not in own)
                hsts = self._hsts if state.get(SECURE) else ()
                message["headers"] = [*headers, *protection, *hsts, *state.get(ANSWER_HEADERS, ())]
            await send(message)

        await self._app(scope, receive, send_with_headers)
