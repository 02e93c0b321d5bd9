"""Finds the address that a request came from, and whether by TLS: the peer's, or what trusted proxies say of both.

One header is read, the one that the proxies set, and ``X-Forwarded-Proto`` beside ``X-Forwarded-For``: a client can
write any other itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from facefleet.gateway.caller import SECURE, SOURCE

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_MOST_HOPS = 16  # proxies that are followed back
# RFC 7239, section 6: an address of six is in brackets; either may have a port.
_NODE = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+))(?::\d{1,5})?|(?P<bare>[0-9a-fA-F:.]+)")
_PROTO = re.compile(r'(?:^|;)\s*proto\s*=\s*"?(?P<scheme>[a-z]+)"?\s*(?:;|$)', re.IGNORECASE)
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"(?P<quoted>[^"\\]*)"|(?P<token>[^\s;,"]+))', re.IGNORECASE)


class SourceAddress:
    """Puts both into the state of each request, where limits, logs, audit and cookies read them.

    Args:
        app: The layers inside.
        proxies: Networks of the proxies that are believed; none: only the peer's own address is.
        header: Which header they add the address of their client to.
    """

    def __init__(
        self, app: ASGIApp, *, proxies: Sequence[Network], header: Literal["x-forwarded-for", "forwarded"]
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._header = header
        self._read = _x_forwarded_for if header == "x-forwarded-for" else _forwarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note address and scheme and go on."""
        if scope["type"] == "http":
            source, secure = self._origin(scope)
            scope["state"] |= {SOURCE: source, SECURE: secure}
        await self._app(scope, receive, send)

    def _origin(self, scope: Scope) -> tuple[str, bool]:
        """The nearest address that is no trusted proxy's, empty where the server knows no peer; and whether by TLS."""
        secure = scope.get("scheme") == "https"
        client = scope.get("client")
        address = _parsed(client[0]) if client else None
        if address is None or not self._trusted(address):
            return str(address or ""), secure
        headers = Headers(scope=scope)
        hops = self._hops(headers.getlist(self._header))
        source, followed = self._followed(address, hops)
        scheme = self._scheme(headers, hops[-followed], followed)
        return str(source), scheme == "https" if scheme else secure

    def _followed(self, proxy: Address, hops: Sequence[str]) -> tuple[Address, int]:
        """The address that the hops lead back to from a trusted proxy, and how many of them trusted proxies wrote."""
        address = proxy
        for followed, hop in enumerate(reversed(hops), 1):
            before = self._read(hop)
            if before is None:  # hidden, or no address: what we know ends at the proxy that says so
                return address, followed
            address = before
            if not self._trusted(address):
                return address, followed
        return address, len(hops)

    def _scheme(self, headers: Headers, hop: str, followed: int) -> str:
        """What the outermost trusted proxy says its client came by; empty where it says nothing.

        Args:
            headers: Of the request.
            hop: What that proxy wrote.
            followed: How many proxies are trusted. Of several schemes, those before theirs are the client's invention;
                there may be fewer, since most proxies pass on the one that they were given.
        """
        if self._header == "forwarded":
            found = _PROTO.search(hop)
            return found["scheme"].lower() if found else ""
        schemes = self._hops(headers.getlist("x-forwarded-proto"))
        return schemes[-min(followed, len(schemes))].strip().lower()

    def _hops(self, values: Sequence[str]) -> list[str]:
        """What each proxy wrote, the nearest last; several headers count as one (RFC 9110, section 5.3)."""
        return ",".join(values).rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]

    def _trusted(self, address: Address) -> bool:
        return any(address in network for network in self._proxies)


def _x_forwarded_for(hop: str) -> Address | None:
    return _node(hop.strip())


def _forwarded(hop: str) -> Address | None:
    found = _FOR.search(hop)
    return _node(found["quoted"] if found["quoted"] is not None else found["token"]) if found else None


def _node(text: str) -> Address | None:
    found = _NODE.fullmatch(text)
    return _parsed(found["six"] or found["four"] or found["bare"]) if found else None


def _parsed(text: str) -> Address | None:
    """An address; one of four that came over a socket of six is one of four."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
