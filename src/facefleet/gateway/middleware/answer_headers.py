"""Adds to every answer the headers that layers further inside have noted, whichever layer answers."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.gateway.problems import ANSWER_HEADERS


class AnswerHeaders:
    """Stands outside of what makes documents of problems, so that refusals have the headers, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope["state"]  # kept here: the layers inside may copy the scope, but share its state

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *state.get(ANSWER_HEADERS, ())]
            await send(message)

        await self._app(scope, receive, send_with_headers)
