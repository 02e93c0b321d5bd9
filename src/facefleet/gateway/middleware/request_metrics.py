"""Counts each request for a task by its outcome, whichever layer answered it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.gateway.endpoints import endpoint_of
from facefleet.gateway.problems import CODE
from facefleet.observability.metrics import Metrics

ACCEPTED = "accepted"
WENT_AWAY = "client_went_away"


class RequestMetrics:
    """Counts ``accepted``, the code of a problem document, or that the client went away before the answer.

    Args:
        app: The layers that refuse, and the routes.
        metrics: What counts.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count when the answer begins, so that whoever has it finds it counted."""
        endpoint = endpoint_of(scope) if scope["type"] == "http" else None
        kind = endpoint.kind if endpoint else None
        if kind is None:
            await self._app(scope, receive, send)
            return
        state = scope["state"]  # kept here: the layers inside may copy the scope, but share its state
        begun = False

        def count(outcome: str) -> None:
            self._metrics.requests.labels(kind.value, outcome).inc()

        async def count_start(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                count(state.get(CODE, ACCEPTED))
            await send(message)

        try:
            await self._app(scope, receive, count_start)
        finally:
            if not begun:
                count(WENT_AWAY)
