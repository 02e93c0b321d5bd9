"""Limits on a request before anything reads it: the size of its body."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.errors import UploadTooLarge


class BodyLimit:
    """Refuses a body that is announced as, or turns out to be, over the limit."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count on the way in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        self._check(int(announced) if announced.isdigit() else 0)
        read = 0

        async def counting() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            self._check(read)
            return message

        await self._app(scope, counting, send)

    def _check(self, count: int) -> None:
        if count > self._max_bytes:
            raise UploadTooLarge(f"The request is over {self._max_bytes:,} bytes.", max_bytes=self._max_bytes)
