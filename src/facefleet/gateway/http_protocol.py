"""Parses requests with httptools, and hangs up on clients that never end what they send, or send nothing.

The parser keeps any number of bytes until a header is complete, and the server waits for ever for the next byte: one
client could fill the memory, and some hundred slow ones take every open file.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536  # of the first line and the headers of a request, or of the trailers of its body
_UNREAD_SECONDS = 5  # that a client with a refused body may be silent
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 42\r\n"
    b"connection: close\r\n\r\nThe head of the request came too slowly.\r\n"
)


class ServerConfig(uvicorn.Config):
    """The server's, and how long it waits for what comes outside of a request that is being answered.

    Args:
        app: The application.
        head_seconds: For the head of a request, from its first byte, or from the opening of the connection.
        rest_seconds: For the rest of a body whose request has been answered, such as a refused one.
        others: As uvicorn takes them.
    """

    def __init__(self, app: ASGIApp, head_seconds: float, rest_seconds: float, **others: Any) -> None:
        super().__init__(app, **others)
        self.head_seconds = head_seconds
        self.rest_seconds = rest_seconds


class HttpProtocol(HttpToolsProtocol):
    """One connection. A clock runs while bytes come, or should, that no request is being answered for."""

    config: ServerConfig
    _unfinished_bytes = 0  # since the last byte that was of use
    _in_body = False
    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come, and should ask."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; refuse the request where too much of it is neither body nor a complete head."""
        self._unfinished_bytes += len(data)
        super().data_received(data)
        if self._unfinished_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        if self._clock is None and self._is_idle():
            self._start_clock()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._unfinished_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is complete: whoever answers it bounds the time of its body."""
        self._stop_clock()
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body arrived."""
        self._unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._unfinished_bytes = 0
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request was answered, maybe before its body had come; who sends no more of that waits for no other."""
        kept = self.config.timeout_keep_alive
        self.timeout_keep_alive = min(kept, _UNREAD_SECONDS) if self._in_body else kept
        super().on_response_complete()

    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr] # none before the first

    def _start_clock(self) -> None:
        seconds = self.config.rest_seconds if self._in_body else self.config.head_seconds
        self._clock = self.loop.call_later(seconds, self._hang_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _hang_up(self) -> None:
        self._clock = None
        if self.transport.is_closing():
            return
        if self._unfinished_bytes and not self._in_body:
            self.transport.write(_TOO_SLOW)
        self.transport.close()
