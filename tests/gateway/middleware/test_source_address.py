"""Address and scheme of a client are what the nearest trusted proxy says, and nothing that the client writes itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any, Literal

import pytest
from starlette.types import Message, Receive, Scope, Send

from facefleet.gateway.caller import SECURE, SOURCE
from facefleet.gateway.middleware.source_address import SourceAddress

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
Header = Literal["x-forwarded-for", "forwarded"]


def state(peer: str | None, header: Header, headers: Sequence[tuple[str, str]], scheme: str = "http") -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        found.append(scope["state"])

    async def receive() -> Message:
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    scope: dict[str, Any] = {
        "type": "http", "state": {}, "scheme": scheme, "client": (peer, 50_000) if peer else None,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }  # fmt: skip
    asyncio.run(SourceAddress(app, proxies=PROXIES, header=header)(scope, receive, send))
    return found[0]


def source(peer: str | None, header: Header, *values: str, other: str = "") -> str:
    unread = "forwarded" if header == "x-forwarded-for" else "x-forwarded-for"
    headers = [(header, value) for value in values] + ([(unread, other)] if other else [])
    address: str = state(peer, header, headers)[SOURCE]
    return address


@pytest.mark.parametrize(
    ("peer", "values", "wanted"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),  # no proxy of ours
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["192.0.2.1, 203.0.113.9"], "203.0.113.9"),  # the first is the client's own invention
        ("10.1.1.1", ["192.0.2.1", "203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["203.0.113.9, 10.2.2.2"], "203.0.113.9"),
        ("10.1.1.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ("10.1.1.1", ["203.0.113.9:41000"], "203.0.113.9"),
        ("10.1.1.1", ["[2001:db8::9]:41000"], "2001:db8::9"),
        ("10.1.1.1", ["2001:db8::9"], "2001:db8::9"),
        ("10.1.1.1", ["203.0.113.9, unknown"], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.9,"], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.999"], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.9' OR 1=1"], "10.1.1.1"),
        ("10.1.1.1", [", ".join(["10.9.9.9"] * 5_000)], "10.9.9.9"),
        ("::ffff:10.1.1.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("fd00::1", ["203.0.113.9"], "203.0.113.9"),
        ("fe80::1%eth0", [], "fe80::1"),
        (None, ["203.0.113.9"], ""),
    ],
)
def test_the_address_in_x_forwarded_for(peer: str | None, values: list[str], wanted: str) -> None:
    assert source(peer, "x-forwarded-for", *values) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=203.0.113.9;proto=https;by=10.1.1.1", "203.0.113.9"),
        ('proto=http; for="203.0.113.9:80"', "203.0.113.9"),
        ('for="[2001:db8::9]:4711"', "2001:db8::9"),
        ("for=192.0.2.1, for=203.0.113.9", "203.0.113.9"),
        ("for=203.0.113.9, for=10.2.2.2", "203.0.113.9"),
        ("for=unknown", "10.1.1.1"),
        ("for=_hidden", "10.1.1.1"),
        ("by=203.0.113.9", "10.1.1.1"),
        ("xfor=203.0.113.9", "10.1.1.1"),
        ("", "10.1.1.1"),
    ],
)
def test_the_address_in_forwarded(value: str, wanted: str) -> None:
    assert source("10.1.1.1", "forwarded", value) == wanted


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_the_header_that_the_proxies_do_not_set_is_not_read(header: Header) -> None:
    other = "for=192.0.2.1" if header == "x-forwarded-for" else "192.0.2.1"
    assert source("10.1.1.1", header, other=other) == "10.1.1.1"


@pytest.mark.parametrize(
    ("peer", "scheme", "proto", "addresses", "secure"),
    [
        ("198.51.100.7", "http", [], [], False),
        ("198.51.100.7", "https", [], [], True),
        ("198.51.100.7", "http", ["https"], [], False),  # no proxy of ours
        ("198.51.100.7", "https", ["http"], [], True),
        ("10.1.1.1", "http", [], ["203.0.113.9"], False),
        ("10.1.1.1", "https", [], ["203.0.113.9"], True),  # it says nothing of its client
        ("10.1.1.1", "http", ["https"], ["203.0.113.9"], True),
        ("10.1.1.1", "http", [" HTTPS "], ["203.0.113.9"], True),
        ("10.1.1.1", "https", ["http"], ["203.0.113.9"], False),  # to us by TLS, to the proxy not
        ("10.1.1.1", "http", ["https"], [], True),
        ("10.1.1.1", "http", ["httpsx"], ["203.0.113.9"], False),
        ("10.1.1.1", "http", ["https, http"], ["203.0.113.9"], False),  # the first is the client's own invention
        ("10.1.1.1", "http", ["https", "http"], ["203.0.113.9"], False),
        ("10.1.1.1", "http", ["http, https"], ["203.0.113.9"], True),
        ("10.1.1.1", "http", ["https, http"], ["203.0.113.9, 10.2.2.2"], True),  # between two proxies it is plain
        ("10.1.1.1", "http", ["https"], ["203.0.113.9, 10.2.2.2"], True),
        ("10.1.1.1", "http", ["https, http, http"], ["203.0.113.9, 10.2.2.2"], False),
        (None, "http", ["https"], [], False),
    ],
)
def test_whether_by_tls_as_x_forwarded_proto_says(
    peer: str | None, scheme: str, proto: list[str], addresses: list[str], secure: bool
) -> None:
    headers = [("x-forwarded-proto", value) for value in proto] + [("x-forwarded-for", value) for value in addresses]
    assert state(peer, "x-forwarded-for", headers, scheme)[SECURE] is secure


@pytest.mark.parametrize(
    ("value", "secure"),
    [
        ("for=203.0.113.9;proto=https", True),
        ('Proto="HTTPS"; for=203.0.113.9', True),
        ("for=203.0.113.9;proto=http", False),
        ("for=203.0.113.9", False),
        ("for=_hidden;proto=https", True),
        ("proto=https", True),
        ("for=203.0.113.9;xproto=https", False),
        ("for=203.0.113.9;proto=httpsx", False),
        ("for=192.0.2.1;proto=https, for=203.0.113.9;proto=http", False),
        ("for=203.0.113.9;proto=https, for=10.2.2.2;proto=http", True),
        ("for=203.0.113.9, for=10.2.2.2;proto=https", False),
        ("", False),
    ],
)
def test_whether_by_tls_as_forwarded_says(value: str, secure: bool) -> None:
    assert state("10.1.1.1", "forwarded", [("forwarded", value)])[SECURE] is secure


def test_the_scheme_in_the_header_that_the_proxies_do_not_set_is_not_read() -> None:
    assert not state("10.1.1.1", "forwarded", [("x-forwarded-proto", "https")])[SECURE]
    assert not state("10.1.1.1", "x-forwarded-for", [("forwarded", "for=192.0.2.1;proto=https")])[SECURE]
