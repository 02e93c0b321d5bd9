"""Limits on a request before anything reads it: the size of its body, its time, and the room of all bodies together."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.errors import Overloaded, UploadTimeout, UploadTooLarge

_RETRY_SECONDS = 1  # an upload ends soon


class BodyLimit:
    """Refuses a body that is over the limit, that takes too long, or for which there is no room.

    A body takes the room it announces, from its first byte to the answer; one that announces no length (chunked) takes
    what it may have at most. A request that finds no other is always let in.

    Args:
        app: What reads the body.
        max_bytes: Of one body.
        total_bytes: Of all bodies at once, in this process.
        seconds: From the request's headers to the last byte of its body.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, total_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._total_bytes = total_bytes
        self._seconds = seconds
        self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count on the way in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = self._size(Headers(scope=scope))
        self._check(size)
        body = self._counted(receive)
        if self._taken and self._taken + size > self._total_bytes:
            while (await body()).get("more_body"):  # read and dropped: an answer in its middle would reach few clients
                pass
            raise Overloaded(
                "Too many uploads are on their way; try again.", taken_bytes=self._taken, retry_after=_RETRY_SECONDS
            )
        self._taken += size
        try:
            await self._app(scope, body, send)
        finally:
            self._taken -= size

    def _size(self, headers: Headers) -> int:
        announced = headers.get("content-length", "")
        if announced.isdigit():
            return int(announced)
        return self._max_bytes if "transfer-encoding" in headers else 0

    def _counted(self, receive: Receive) -> Receive:
        read, over = 0, False
        until = asyncio.get_running_loop().time() + self._seconds

        async def counted() -> Message:
            nonlocal read, over
            if over:  # what comes after the body is the client's going away, and may take as long as the answer
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise UploadTimeout(
                    f"The upload took longer than {self._seconds:g} s; {read:,} bytes came.",
                    seconds=self._seconds, bytes=read,
                ) from None  # fmt: skip
            read += len(message.get("body", b""))
            self._check(read)
            over = not message.get("more_body", False)
            return message

        return counted

    def _check(self, count: int) -> None:
        if count > self._max_bytes:
            raise UploadTooLarge(f"The request is over {self._max_bytes:,} bytes.", max_bytes=self._max_bytes)
