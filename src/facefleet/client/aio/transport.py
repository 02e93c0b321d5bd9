"""Sends the client's requests to one server: sends them again where that helps, and turns refusals into errors."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx

from facefleet.client.bodies import body, pieces
from facefleet.client.parsing import parse_page
from facefleet.client.photos import Content
from facefleet.client.requests import ApiRequest
from facefleet.client.responses import Document, document, is_transient, no_response, refusal
from facefleet.client.retry_policy import Attempts, Patience, now
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import RequestError
from facefleet.files import whole_file

_CONNECTION_LOST = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)
_GRACE_SECONDS = 1.0  # a response that its caller gives up waiting for may be on its way

T = TypeVar("T")


class AsyncTransport:
    """Sends requests to one server.

    Args:
        url: Of the server, without a slash at its end; may have a path. Empty: requests have whole addresses.
        authorization: Value of the header, or none. A redirect to another host goes without it.
        http: Sends requests; closed by whoever opened it.
        timeout: s for connecting, and for each wait for bytes.
        patience: How long to try again.
    """

    def __init__(
        self, url: str, authorization: str | None, http: httpx.AsyncClient, timeout: float, patience: Patience
    ) -> None:
        self._url = url
        self._headers = {"Authorization": authorization} if authorization else {}
        self._http = http
        self._timeout = timeout
        self._patience = patience
        self._has_answered = False

    async def document(self, request: ApiRequest, until: float = math.inf) -> Document:
        """The JSON object of the response; raises as ``send`` does."""
        return document(await self.send(request, until))

    async def send(self, request: ApiRequest, until: float = math.inf) -> httpx.Response:
        """Send a request and read its whole response.

        Args:
            request: Sent again while the server is away or refuses for the moment.
            until: When the caller gives up, by ``time.monotonic``.

        Raises:
            ServerUnreachable: Nothing answers, or something that is no gateway.
            RequestError: The client is closed.
            FacefleetError: The server refuses; the class is that of its code.
        """
        return await self._read(request, _read_whole, until)

    async def save(self, request: ApiRequest, path: Path, *, overwrite: bool) -> None:
        """Write the response to a file as it arrives, whole or not at all; raises as ``send`` and ``whole_file`` do."""

        async def write(response: httpx.Response) -> None:
            with whole_file(path, overwrite=overwrite) as stream:
                async for chunk in response.aiter_bytes():
                    stream.write(chunk)

        await self._read(request, write)

    async def pages(self, request: ApiRequest, name: str) -> AsyncGenerator[Document, None]:
        """The entries of a list, page by page as they are asked for; raises as ``send`` does.

        Args:
            request: For the first page.
            name: Of the list in each page.
        """
        while True:
            entries, cursor = parse_page(await self.document(request), name)
            for entry in entries:
                yield entry
            if cursor is None:
                return
            request = replace(request, params={**request.params, "cursor": cursor})

    async def _read(
        self, request: ApiRequest, read: Callable[[httpx.Response], Awaitable[T]], until: float = math.inf
    ) -> T:
        """Send a request and ``read`` its response; one that breaks off is requested and read again from its start."""
        attempts = Attempts(self._patience, until)
        while True:
            try:
                async with self.opened(request, until) as response:
                    return await read(response)
            except FacefleetError as error:
                if not is_transient(error):
                    raise
                pause = attempts.pause(error, has_answered=self._has_answered)
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def opened(self, request: ApiRequest, until: float = math.inf) -> AsyncIterator[httpx.Response]:
        """A successful response, at the first attempt, for the caller to read; raises as ``send`` does."""
        if self._http.is_closed:
            raise RequestError("This client is closed; make a new one.")
        read_timeout = min(self._timeout + request.extra_read_timeout, max(0.0, until - now()) + _GRACE_SECONDS)
        try:
            async with self._http.stream(
                request.method, self._url + request.path, params=request.params or None,
                headers={**self._headers, **request.headers}, **_body(request),
                follow_redirects=request.follow, timeout=httpx.Timeout(self._timeout, read=read_timeout),
            ) as response:  # fmt: skip
                self._has_answered = True
                if not response.is_success:
                    await response.aread()
                    raise refusal(response)
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._has_answered = self._has_answered or isinstance(error, _CONNECTION_LOST)
            raise no_response(error) from error


def _body(request: ApiRequest) -> dict[str, Any]:
    if request.content is not None:
        return {"content": _stream(request.content)}
    return {"json": request.json} if request.json is not None else body(request.data, request.files)


async def _stream(content: Content) -> AsyncGenerator[bytes, None]:
    for piece in pieces(content):
        yield piece


async def _read_whole(response: httpx.Response) -> httpx.Response:
    await response.aread()
    return response
