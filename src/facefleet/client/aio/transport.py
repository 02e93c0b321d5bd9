"""One server as a client reaches it: every request passes here, is sent again where that helps, or ends as an error."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import httpx

from facefleet.client.answers import Document, document, outage, passes, refusal
from facefleet.client.patience import Attempts, Patience, now
from facefleet.client.requests import Ask
from facefleet.client.values import page
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import RequestError
from facefleet.files import whole_file

_LOST = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)
_GRACE_SECONDS = 1.0  # an answer that its caller gives up waiting for may be on its way

T = TypeVar("T")


class AsyncTransport:
    """Sends what a client asks for.

    Args:
        url: Of the server, without a slash at its end; may have a path.
        authorization: Value of the header, or none. A redirect to another host goes without it.
        http: Sends requests; closed by whoever opened it.
        timeout: s that the server may stay silent.
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
        self._was_there = False

    async def document(self, ask: Ask, until: float = math.inf) -> Document:
        """The JSON object that is the answer; raises as ``answer`` does."""
        return document(await self.answer(ask, until))

    async def answer(self, ask: Ask, until: float = math.inf) -> httpx.Response:
        """The answer, whole.

        Args:
            ask: Sent again while the server is away or refuses for the moment.
            until: When the caller gives up, by ``time.monotonic``.

        Raises:
            ServerUnreachable: Nothing answers, or something that is no gateway.
            RequestError: The client is closed.
            FacefleetError: The server refuses; the class is that of its code.
        """
        return await self._read(ask, _whole, until)

    async def save(self, ask: Ask, path: Path, *, overwrite: bool) -> None:
        """Write the answer to a file as it comes, whole or not at all; raises as ``answer`` and ``whole_file`` do."""

        async def written(answer: httpx.Response) -> None:
            with whole_file(path, overwrite=overwrite) as stream:
                async for chunk in answer.aiter_bytes():
                    stream.write(chunk)

        await self._read(ask, written)

    async def pages(self, ask: Ask, name: str) -> AsyncGenerator[Document, None]:
        """The entries of a list, page by page as they are asked for; raises as ``answer`` does.

        Args:
            ask: For the first page.
            name: Of the list in each page.
        """
        while True:
            found, cursor = page(await self.document(ask), name)
            for one in found:
                yield one
            if cursor is None:
                return
            ask = replace(ask, params={**ask.params, "cursor": cursor})

    async def _read(self, ask: Ask, take: Callable[[httpx.Response], Awaitable[T]], until: float = math.inf) -> T:
        """What is taken of the answer; of one that breaks off, it is taken again from the beginning."""
        attempts = Attempts(self._patience, until)
        while True:
            try:
                async with self.opened(ask, until) as answer:
                    return await take(answer)
            except FacefleetError as error:
                if not passes(error):
                    raise
                pause = attempts.pause(error, was_there=self._was_there)
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def opened(self, ask: Ask, until: float = math.inf) -> AsyncIterator[httpx.Response]:
        """A good answer, at the first attempt, for the caller to read; raises as ``answer`` does."""
        if self._http.is_closed:
            raise RequestError("This client is closed; make a new one.")
        silence = min(self._timeout + ask.silence, max(0.0, until - now()) + _GRACE_SECONDS)
        try:
            async with self._http.stream(
                ask.method, self._url + ask.path, params=ask.params, headers={**self._headers, **ask.headers},
                data=ask.data, files=ask.files or None, follow_redirects=ask.follow,
                timeout=httpx.Timeout(self._timeout, read=silence),
            ) as answer:  # fmt: skip
                self._was_there = True
                if not answer.is_success:
                    await answer.aread()
                    raise refusal(answer)
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._was_there = self._was_there or isinstance(error, _LOST)
            raise outage(error) from error


async def _whole(answer: httpx.Response) -> httpx.Response:
    await answer.aread()
    return answer
