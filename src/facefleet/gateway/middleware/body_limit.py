"""Limits the body of a request before anything reads it: its size, its time, and the bytes of all bodies at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.errors.input import UploadTooLarge
from facefleet.errors.outage import Overloaded, UploadTimeout
from facefleet.gateway.endpoints import Body, endpoint_of
from facefleet.gateway.memory import Holding, Memory

HOLDING = "holding"  # in the state of a request: what it takes of the memory for photos


@dataclass(frozen=True, slots=True)
class Allowance:
    """Says what the body of a request may be.

    Attributes:
        max_bytes: Of one body.
        seconds: From the request's headers to the last byte of its body.
        held_bytes: Of it at once, where it is not held as a whole.
    """

    max_bytes: int
    seconds: float
    held_bytes: int | None = None

    def room(self, size: int) -> int:
        """What a body of this size takes of the room of all."""
        return size if self.held_bytes is None else min(size, self.held_bytes)


class BodyLimit:
    """Refuses a body that is over the limit, that takes too long, or for which there is no room.

    A body takes the room it announces, from its first byte to the answer; one that announces no length (chunked) takes
    what it may have at most. What a request fetches is counted with its body.

    Args:
        app: What reads the body.
        allowances: What the body of an endpoint may be; the usual one is that of unknown endpoints, too.
        total_bytes: Of all bodies at once, in this process.
    """

    def __init__(self, app: ASGIApp, *, allowances: Mapping[Body, Allowance], total_bytes: int) -> None:
        self._app = app
        self._allowances = allowances
        self._memory = Memory(total_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or count its body while it is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        endpoint = endpoint_of(scope)
        allowed = self._allowances[endpoint.body if endpoint else Body.USUAL]
        announced = _size(Headers(scope=scope), allowed)
        _check(announced, allowed)
        body = _counted(receive, allowed)
        holding = Holding(self._memory)
        try:
            holding.take(allowed.room(announced))
        except Overloaded:
            while (await body()).get("more_body"):  # read and dropped: an answer in its middle would reach few clients
                pass
            raise
        scope["state"][HOLDING] = holding
        try:
            await self._app(scope, body, send)
        finally:
            holding.release()


def _size(headers: Headers, allowed: Allowance) -> int:
    announced = headers.get("content-length", "")
    if announced.isdigit():
        return int(announced)
    return allowed.max_bytes if "transfer-encoding" in headers else 0


def _counted(receive: Receive, allowed: Allowance) -> Receive:
    read, over = 0, False
    until = asyncio.get_running_loop().time() + allowed.seconds

    async def counted() -> Message:
        nonlocal read, over
        if over:  # what comes after the body is the client's going away, and may take as long as the answer
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise UploadTimeout(
                f"The upload took longer than {allowed.seconds:g} s; {read:,} bytes came.",
                seconds=allowed.seconds, bytes=read,
            ) from None  # fmt: skip
        read += len(message.get("body", b""))
        _check(read, allowed)
        over = not message.get("more_body", False)
        return message

    return counted


def _check(count: int, allowed: Allowance) -> None:
    if count > allowed.max_bytes:
        raise UploadTooLarge(f"The request is over {allowed.max_bytes:,} bytes.", max_bytes=allowed.max_bytes)
