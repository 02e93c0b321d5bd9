"""What became of each fusion request at the door, whichever layer answered it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.gateway.problems import CODE
from facefleet.observability.metrics import Metrics
from facefleet.tasks.kinds import Kind

ACCEPTED = "accepted"
WENT_AWAY = "client_went_away"


class Outcomes:
    """Counts ``accepted``, the code of a refusal, or that nobody was left to answer.

    Args:
        app: The layers that refuse, and the routes.
        kinds: Path → what a request to it asks for.
        metrics: What counts.
    """

    def __init__(self, app: ASGIApp, *, kinds: Mapping[str, Kind], metrics: Metrics) -> None:
        self._app = app
        self._kinds = kinds
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count when the answer begins, so that whoever has it finds it counted."""
        kind = self._kinds.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if kind is None:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})  # before the layers inside, which may copy the scope but not this
        begun = False

        def count(outcome: str) -> None:
            self._metrics.requests.labels(kind.value, outcome).inc()

        async def noting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                count(state.get(CODE, ACCEPTED))
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            if not begun:
                count(WENT_AWAY)
