"""Sends a request to an address that was checked, and gives the answer with its body unread.

The name is resolved once, and the connection is made to an address of that answer, so a name that resolves to something
else a moment later (DNS rebinding) has no effect; certificate, SNI and ``Host`` are those of the name. A redirect is a
new URL and goes through all of this again. Proxies of the environment are not used: they would resolve the name
themselves. Whatever the other side does, what is told of it are words of ours: messages of a library may quote the URL.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin

import httpx

from facefleet.outbound.address import Address, Target, UrlRefused, read_url
from facefleet.outbound.resolve import Resolver

CONNECT_SECONDS = 5.0  # to resolve a name, and to connect to each address
MAX_REDIRECTS = 3
_MAX_ADDRESSES = 3  # of one name that are tried, while none accepts a connection


class NotReached(Exception):
    """No answer that can be used; the text says why.

    Args:
        why: In words of ours.
        status: Of the answer that led nowhere, if there was one.
    """

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to a server that a client named.

    Attributes:
        seconds: From the first look at the name to the end of the body.
        silence: s that the server may be silent.
        follows: The statuses whose redirect is followed.
    """

    method: str
    url: str = field(repr=False)  # path and query may be secrets of the receiver
    headers: Mapping[str, str]
    seconds: float
    silence: float
    follows: tuple[HTTPStatus, ...]
    content: bytes = field(default=b"", repr=False)


class Connector:
    """Sends to addresses that the resolver's policy allows.

    Args:
        resolver: Resolves names and checks addresses.
        context: TLS settings and trusted authorities.
    """

    def __init__(self, resolver: Resolver, context: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._context = context

    @asynccontextmanager
    async def send(self, request: Outgoing) -> AsyncIterator[httpx.Response]:
        """Send, and follow up to ``MAX_REDIRECTS`` redirects; the body may be read inside of the block.

        Raises:
            UrlRefused: Nothing may be sent to the URL, or to the one of a redirect.
            NotReached: There is no answer, it broke off, or it took too long.
        """
        try:
            async with asyncio.timeout(request.seconds), self._followed(request) as response:
                yield response
        except (TimeoutError, httpx.TimeoutException):
            raise NotReached("no answer in time") from None
        except httpx.InvalidURL:
            raise UrlRefused(rule="it is scheme://host:port/path") from None
        except httpx.RemoteProtocolError:
            raise NotReached("the answer is not HTTP") from None
        except (httpx.TransportError, OSError) as error:
            raise NotReached(_cause(error)) from None

    @asynccontextmanager
    async def _followed(self, request: Outgoing) -> AsyncIterator[httpx.Response]:
        url, status = request.url, None
        for _ in range(1 + MAX_REDIRECTS):
            target = read_url(url, self._resolver.policy)
            # A transport of its own: no cookies, no proxy, and no connection that was made for another name.
            async with httpx.AsyncHTTPTransport(verify=self._context, trust_env=False) as transport:
                response = await self._answer(transport, target, request)
                try:
                    status, location = response.status_code, response.headers.get("location")
                    if status not in request.follows or location is None:
                        yield response
                        return
                finally:
                    await response.aclose()
            url = _joined(url, location)
        raise NotReached("too many redirects", status)

    async def _answer(
        self, transport: httpx.AsyncHTTPTransport, target: Target, request: Outgoing
    ) -> httpx.Response:  # fmt: skip
        addresses = await self._addresses(target)
        for address in addresses[:-1]:
            try:
                return await transport.handle_async_request(_to(address, target, request))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await transport.handle_async_request(_to(addresses[-1], target, request))

    async def _addresses(self, target: Target) -> list[Address]:
        try:
            return (await self._resolver.addresses(target, CONNECT_SECONDS))[:_MAX_ADDRESSES]
        except OSError:  # TimeoutError among them
            raise NotReached("the name has no address") from None


def _to(address: Address, target: Target, request: Outgoing) -> httpx.Request:
    """The request to one address of the target, by the target's name."""
    host = f"[{address}]" if address.version == 6 else str(address)
    silence = request.silence
    timeout = {"connect": CONNECT_SECONDS, "read": silence, "write": silence, "pool": silence}
    return httpx.Request(
        request.method,
        f"{target.scheme}://{host}:{target.port}{target.path}",
        headers={"Host": target.authority, "Connection": "close", **request.headers},
        content=request.content,
        extensions={"timeout": timeout} | ({} if target.address else {"sni_hostname": target.host}),
    )


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise UrlRefused(rule="it is scheme://host:port/path") from None


def _cause(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the certificate is not valid for the name"
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        cause = cause.__cause__ or cause.__context__
    return "no connection" if isinstance(error, httpx.ConnectError) else "the connection broke"
