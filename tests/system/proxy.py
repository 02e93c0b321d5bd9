"""A TCP proxy that makes a network bad: it cuts, delays, garbles and refuses the connections through it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType

from tests.servers import HOST

_CHUNK_BYTES = 64 * 1024
_STOP_SECONDS = 10.0
_CLOSED = (ConnectionError, TimeoutError, asyncio.IncompleteReadError, OSError)


class _Link:
    """One connection, both ways."""

    def __init__(self, *ends: asyncio.StreamWriter) -> None:
        self._ends = ends
        self.garbled = False

    def cut(self) -> None:
        """A reset, not a farewell: what was on its way is lost."""
        for end in self._ends:
            end.transport.abort()


class Proxy:
    """Listens on a free loopback port and passes everything on.

    Args:
        port: Of the server behind it, on loopback; it may be down.
        noise: What the bytes of a garbled connection are replaced with.
    """

    def __init__(self, port: int, noise: random.Random) -> None:
        self.port = 0
        self._upstream = port
        self._noise = noise
        self._delay = 0.0
        self._refusing = False
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = Event()
        self._thread = Thread(target=self._run, name=f"proxy of {port}", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        assert self._started.wait(_STOP_SECONDS), "the proxy listens"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._soon(self._stop.set)
        self._thread.join(_STOP_SECONDS)

    def cut(self) -> None:
        """Reset every open connection."""
        self._soon(self._cut)

    def garble(self) -> None:
        """The next bytes of every open connection become noise, one byte short; then the connection is reset.

        The missing byte is what a garbled connection without TLS can be recognised by: bytes changed with their number
        and every checksum right would be another photo.
        """
        self._soon(self._garble)

    def delay(self, seconds: float) -> None:
        """From now on hold everything back for so long; 0 ends it."""
        self._delay = seconds

    def refuse(self, refusing: bool) -> None:
        """Whether connections, new and old, are reset at once."""
        self._refusing = refusing
        if refusing:
            self.cut()

    def _soon(self, call: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(call)

    def _cut(self) -> None:
        for link in self._links:
            link.cut()

    def _garble(self) -> None:
        for link in self._links:
            link.garbled = True

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        self._cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._upstream)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, far_writer)
        self._links.add(link)
        try:
            await asyncio.gather(self._pass(reader, far_writer, link), self._pass(far_reader, writer, link))
        except _CLOSED:
            pass
        finally:
            self._links.discard(link)
            link.cut()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if self._delay:
                await asyncio.sleep(self._delay)
            if link.garbled:
                writer.write(self._noise.randbytes(len(chunk) - 1))
                await writer.drain()
                writer.close()  # the noise arrives before the end does
                raise ConnectionResetError
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
