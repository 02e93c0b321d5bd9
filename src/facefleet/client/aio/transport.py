"""One server as a client reaches it: every request passes here, is sent again where that helps, or ends as an error."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from facefleet.client.answers import Document, document, outage, passes, refusal
from facefleet.client.patience import Attempts, Patience, now
from facefleet.client.requests import Ask
from facefleet.errors import FacefleetError

_LOST = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError)
_GRACE_SECONDS = 1.0  # an answer that its caller gives up waiting for may be on its way


class AsyncTransport:
    """Sends what a client asks for.

    Args:
        url: Of the server; may have a path.
        authorization: Value of the header, or none. A redirect to another host goes without it.
        http: Sends requests; closed by whoever opened it.
        timeout: s that the server may stay silent.
        patience: How long to try again.
    """

    def __init__(
        self, url: str, authorization: str | None, http: httpx.AsyncClient, timeout: float, patience: Patience
    ) -> None:
        self._url = url.rstrip("/")
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
            FacefleetError: The server refuses; the class is that of its code.
        """
        attempts = Attempts(self._patience, until)
        while True:
            try:
                async with self.opened(ask, until) as answer:
                    await answer.aread()
                    return answer
            except FacefleetError as error:
                if not passes(error):
                    raise
                pause = attempts.pause(error, was_there=self._was_there)
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def opened(self, ask: Ask, until: float = math.inf) -> AsyncIterator[httpx.Response]:
        """A good answer, at the first attempt, for the caller to read; raises as ``answer`` does."""
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
