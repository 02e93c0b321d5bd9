"""Writes one log line for each request, and gives it an id that the answer carries too."""

from __future__ import annotations

import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.gateway.endpoints import endpoint_of
from facefleet.gateway.problems import REQUEST_ID
from facefleet.observability.logs import bound, logger

_log = logger(__name__)


class AccessLog:
    """Binds ``request_id`` to every log line of a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log method, path, status and duration when the answer is out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, request_id, status = time.perf_counter(), uuid.uuid4().hex, 0
        endpoint = endpoint_of(scope)
        scope["state"][REQUEST_ID] = request_id

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with bound(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                if endpoint is None or not endpoint.polled:
                    ms = round((time.perf_counter() - started) * 1000, 1)
                    _log.info("request", method=scope["method"], path=scope["path"], status=status, ms=ms)
