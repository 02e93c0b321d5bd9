"""Makes one attempt: a POST to an address that was checked, with limits on everything that a receiver controls.

The name is resolved once, and the connection is made to an address of that answer, so a name that resolves to something
else a moment later (DNS rebinding) has no effect; certificate, SNI and ``Host`` are those of the name. A redirect is a
new URL and goes through all of this again. Of the answer only the head is read: its body is of no use to us, and must
not be shown to the client that gave the URL.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urljoin

import httpx

from facefleet.clock import Clock
from facefleet.errors.input import WebhookUrlRefused
from facefleet.webhooks.address import Address, Target, read_url
from facefleet.webhooks.resolve import Resolver
from facefleet.webhooks.schedule import Answer

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
MAX_REDIRECTS = 3
_MAX_ADDRESSES = 3  # of one name that are tried, while none accepts a connection
_SAME_METHOD = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)  # the others turn a POST into a GET


class Poster:
    """Sends to addresses that the resolver's policy allows.

    Args:
        resolver: Resolves names and checks addresses.
        context: TLS settings and trusted authorities.
        clock: UTC, for a ``Retry-After`` that is a date.
    """

    def __init__(self, resolver: Resolver, context: ssl.SSLContext, clock: Clock) -> None:
        self._resolver = resolver
        self._context = context
        self._clock = clock

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send, and follow up to ``MAX_REDIRECTS`` redirects that keep the method; errors are answers, never raised."""
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await self._follow(url, headers, body)
        except TimeoutError:
            return Answer(error="no answer in time")
        except WebhookUrlRefused as error:
            return Answer(error=f"address refused: {error.detail.get('reason') or error.detail['rule']}")
        except httpx.InvalidURL:
            return Answer(error="address refused: it is malformed")
        except httpx.RemoteProtocolError:
            return Answer(error="the answer is not HTTP")
        except (httpx.TransportError, OSError) as error:
            return Answer(error=_cause(error))

    async def _follow(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        for _ in range(1 + MAX_REDIRECTS):
            target = read_url(url, self._resolver.policy)
            response = await self._send(target, headers, body)
            location = response.headers.get("location")
            if response.status_code not in _SAME_METHOD or location is None:
                return self._answer(response)
            url = urljoin(url, location)
        return Answer(response.status_code, "too many redirects")

    async def _send(self, target: Target, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        addresses = await self._addresses(target)
        for address in addresses[:-1]:
            try:
                return await self._send_to(address, target, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._send_to(addresses[-1], target, headers, body)

    async def _addresses(self, target: Target) -> list[Address]:
        try:
            return (await self._resolver.addresses(target, CONNECT_SECONDS))[:_MAX_ADDRESSES]
        except OSError as error:  # TimeoutError among them
            raise _NameUnknown from error

    async def _send_to(
        self, address: Address, target: Target, headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        host = f"[{address}]" if address.version == 6 else str(address)
        timeout = {"connect": CONNECT_SECONDS, "read": TOTAL_SECONDS, "write": TOTAL_SECONDS, "pool": TOTAL_SECONDS}
        request = httpx.Request(
            "POST",
            f"{target.scheme}://{host}:{target.port}{target.path}",
            headers={"Host": target.authority, "Connection": "close", **headers},
            content=body,
            extensions={"timeout": timeout} | ({} if target.address else {"sni_hostname": target.host}),
        )
        # A transport of its own: no cookies, no proxy, and no connection that was made for another name.
        async with httpx.AsyncHTTPTransport(verify=self._context, trust_env=False) as transport:
            response = await transport.handle_async_request(request)
            await response.aclose()
        return response

    def _answer(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if 200 <= status < 300:
            return Answer(status)
        what = "a redirect that is not followed" if 300 <= status < 400 else f"status {status}"
        return Answer(status, what, _retry_after(response.headers.get("retry-after"), self._clock()))


class _NameUnknown(OSError):
    """The name has no address now."""


def _cause(error: BaseException) -> str:
    """The reason as a text of ours: messages of a library may quote the URL."""
    if isinstance(error, _NameUnknown):
        return "the name has no address"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the certificate is not valid for the name"
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        cause = cause.__cause__ or cause.__context__
    return "no connection" if isinstance(error, httpx.ConnectError) else "the connection broke"


def _retry_after(header: str | None, now: datetime) -> float | None:
    """Parse ``Retry-After``: s, or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    if header.isascii() and header.isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
