"""Checks a URL that a client gave: http or https, with a host that is, or resolves to, public addresses only.

A client that gives a URL makes the service call it, and the service runs inside a network (server-side request
forgery). So the URL is parsed strictly (one that two parsers could read differently is refused), every address that its
host resolves to is checked, and the connection is made to an address that was checked (``connect.py``). The ranges are
those of the IANA special-purpose registries (RFC 6890).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address

MAX_URL_LENGTH = 2048
_LONGEST_NAME = 253
_DEFAULT_PORTS = {"http": 80, "https": 443}

_VISIBLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")  # a last label like this is read as an IPv4 address by some (WHATWG URL)

# Never allowed: no server that a client may name can be there.
_NEVER: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "of this host"),
    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
    ("192.0.0.0/24", "reserved for protocols"),
    ("192.0.2.0/24", "for documentation"),
    ("192.88.99.0/24", "of 6to4 relays"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("64:ff9b:1::/48", "of a local translator"),
    ("100::/64", "discard-only"),
    ("2001::/23", "reserved for protocols and tunnels"),
    ("2001:db8::/32", "for documentation"),
    ("2002::/16", "a 6to4 tunnel"),
    ("3fff::/20", "for documentation"),
    ("fd00:ec2::/32", "where clouds keep their metadata"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
# Of private networks: allowed where an operator allows them.
_PRIVATE: tuple[tuple[str, str], ...] = (
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("172.16.0.0/12", "private"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "for measurements"),
    ("::1/128", "loopback"),
    ("fc00::/7", "private"),
)
_GLOBAL_V6 = IPv6Network("2000::/3")  # all that is allocated
_NAT64 = IPv6Network("64:ff9b::/96")  # how a network without IPv4 reaches IPv4 (RFC 6052)

_Ranges = tuple[tuple[IPv4Network | IPv6Network, str], ...]
_NEVER_RANGES: _Ranges = tuple((ip_network(text), why) for text, why in _NEVER)
_PRIVATE_RANGES: _Ranges = tuple((ip_network(text), why) for text, why in _PRIVATE)


class UrlRefused(Exception):
    """A URL that nothing is sent to; who called says so by an error of its own.

    Args:
        rule: That the URL breaks.
        reason: What an address of its host is: the name of a range, never the address.
    """

    def __init__(self, *, rule: str = "", reason: str = "") -> None:
        super().__init__(reason or rule)
        self.detail = {"reason": reason} if reason else {"rule": rule}

    def words(self, url: str, server: str) -> str:
        """What is wrong, as a sentence.

        Args:
            url: What the URL is called.
            server: Whose host it names.
        """
        if "reason" in self.detail:
            return f"The {server}'s host has an address that is {self}; name a server of the public internet."
        return f"This {url} breaks the rule that {self}."


@dataclass(frozen=True, slots=True)
class Policy:
    """The URLs that an operator allows.

    Attributes:
        http: Whether URLs without TLS are allowed.
        private: Whether private and loopback addresses are allowed.
        ports: Allowed ports; any where empty.
    """

    http: bool = False
    private: bool = False
    ports: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL.

    Attributes:
        scheme: ``http`` or ``https``.
        host: A name in lower case without a dot at its end, or an address.
        address: The host, where it is an address.
        port: Its own, or the scheme's.
        path: With the query.
    """

    scheme: str
    host: str
    address: Address | None
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the ``Host`` header."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def read_url(url: str, policy: Policy) -> Target:
    """Parse a URL, and refuse what can be refused without resolving its host.

    Raises:
        UrlRefused: It is malformed, carries credentials or a fragment, or is not allowed.
    """
    parts, port = _split(url)
    if parts.scheme not in _DEFAULT_PORTS or (parts.scheme == "http" and not policy.http):
        raise UrlRefused(rule=f"it begins with https://{' or http://' if policy.http else ''}")
    if "@" in parts.netloc:
        raise UrlRefused(rule="it carries no user name and no password")
    if "#" in url:
        raise UrlRefused(rule="it has no fragment")
    host, address = _host(parts)
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    if port == 0 or (policy.ports and port not in policy.ports):
        allowed = ", ".join(str(port) for port in sorted(policy.ports)) or "1 to 65535"
        raise UrlRefused(rule=f"its port is one of: {allowed}")
    if address is not None:
        check(address, policy)
    elif host == "localhost" or host.endswith(".localhost"):
        check(IPv4Address("127.0.0.1"), policy)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, address, port, path)


def host_of(url: str) -> str:
    """The host that a URL seems to name, for logs; empty where none can be told. It may be one that is refused."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host if len(host) <= _LONGEST_NAME and _VISIBLE.fullmatch(host) else ""


def check(address: Address, policy: Policy) -> None:
    """Check one address.

    Raises:
        UrlRefused: It is not a public one, nor a private one that the policy allows.
    """
    address = _embedded_ipv4(address)
    why = _range_of(address, _NEVER_RANGES) or (None if policy.private else _range_of(address, _PRIVATE_RANGES))
    inside = _range_of(address, _PRIVATE_RANGES) is not None
    if why is None and isinstance(address, IPv6Address) and not inside and address not in _GLOBAL_V6:
        why = "not in use on the internet"
    if why is not None:
        raise UrlRefused(reason=why)


def _split(url: str) -> tuple[SplitResult, int | None]:
    """Split a URL after checks that ``urlsplit`` lacks: it drops line breaks and allows a backslash in a name."""
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused(rule=f"it has at most {MAX_URL_LENGTH:,} characters")
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise UrlRefused(rule="it is of visible ASCII characters without a backslash, a name in its xn-- form")
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        raise UrlRefused(rule="it is scheme://host:port/path") from None


def _host(parts: SplitResult) -> tuple[str, Address | None]:
    host = (parts.hostname or "").removesuffix(".")
    bracketed = "[" in parts.netloc
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is not None and bracketed == isinstance(address, IPv6Address) and "%" not in host:
        return str(address), address
    if bracketed or not _NAME.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise UrlRefused(
            rule="its host is a name, an IPv4 address of four decimal numbers, or an IPv6 address in brackets"
        )
    return host, None


def _embedded_ipv4(address: Address) -> Address:
    """The IPv4 address inside a mapped or NAT64 address; any other address unchanged."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(address.packed[-4:])
    return address


def _range_of(address: Address, ranges: _Ranges) -> str | None:
    return next((why for network, why in ranges if address in network), None)
