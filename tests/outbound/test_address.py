"""Which URLs and addresses may be told: a table of what people have tried on others."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from facefleet.outbound.address import Policy, Target, UrlRefused, check, read_url
from facefleet.outbound.resolve import Resolver

STRICT = Policy(ports=frozenset({80, 443, 8443}))
OPEN = Policy(http=True, private=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " https://example.com/",
        "https://example.com/ x",
        "https://example.com/\n",
        "https://exam\tple.com/",
        "https://example.com/é",
        "https://exämple.com/",
        "https://１２７.０.０.１/",
        "https://ⓔxample.com/",
        "https://example。com/",
        "example.com",
        "//example.com/",
        "/hook",
        "https:/example.com",
        "https:example.com",
        "https://",
        "https:///hook",
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "HTTPS+UNIX://example.com/",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com:443@evil.com/",
        "https://example.com#@127.0.0.1/",
        "https://example.com/#part",
        "https://example.com/#",
        "https://example.com\\@127.0.0.1/",
        "https://example.com\\.evil.com/",
        "https://example.com:0/",
        "https://example.com:22/",
        "https://example.com:6379/",
        "https://example.com:65536/",
        "https://example.com:-1/",
        "https://example.com:4 43/",
        "https://example.com:https/",
        "https://example.com%00.evil.com/",
        "https://example%2ecom/",
        "https://.example.com/",
        "https://example..com/",
        "https://example.com../",
        "https://-example.com/",
        "https://*.example.com/",
        "https://exa mple.com/",
        f"https://{'a' * 64}.com/",
        f"https://{'a.' * 130}com/",
        f"https://example.com/{'a' * 2048}",
        # every spelling of 127.0.0.1 that somebody reads
        "https://127.0.0.1/",
        "https://127.0.0.1./",
        "https://127.1/",
        "https://127.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0x7f.1/",
        "https://0X7F.0.0.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://127.0.0.01/",
        "https://127.0.0.0x1/",
        "https://0x/",
        "https://example.0x/",
        "https://example.1/",
        "https://00127.0.0.1/",
        "https://127.0.0.1.0/",
        "https://256.256.256.256/",
        "https://0/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://localhost./",
        "https://me.localhost/",
        "https://[::1]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::FFFF:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::127.0.0.1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[2606:4700::1%1]/",
        "https://[127.0.0.1]/",
        "https://[example.com]/",
        "https://[::1/",
        "https://::1/",
        "https://2606:4700::1111/",
        "https://[v1.fe80::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
    ],
)
def test_a_url_that_is_no_plain_address_of_a_public_server_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        read_url(url, STRICT)
    told = caught.value.words("webhook_url", "webhook") + str(caught.value.detail)
    assert len(url) < 9 or url not in told, "its path may be a secret"


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://example.com", Target("https", "example.com", None, 443, "/"), "example.com"),
        ("https://example.com:443/", Target("https", "example.com", None, 443, "/"), "example.com"),
        ("https://example.com:/a", Target("https", "example.com", None, 443, "/a"), "example.com"),
        (
            "HTTPS://Example.COM./a/../b?c=d&e",
            Target("https", "example.com", None, 443, "/a/../b?c=d&e"),
            "example.com",
        ),
        ("https://example.com:8443?q", Target("https", "example.com", None, 8443, "/?q"), "example.com:8443"),
        ("https://xn--exmple-cua.com/", Target("https", "xn--exmple-cua.com", None, 443, "/"), "xn--exmple-cua.com"),
        ("https://a_b.example.com/@c", Target("https", "a_b.example.com", None, 443, "/@c"), "a_b.example.com"),
        ("https://1e100.net/", Target("https", "1e100.net", None, 443, "/"), "1e100.net"),
        ("https://8.8.8.8/", Target("https", "8.8.8.8", ip_address("8.8.8.8"), 443, "/"), "8.8.8.8"),
        (
            "https://[2606:4700:0::1111]:8443/",
            Target("https", "2606:4700::1111", ip_address("2606:4700::1111"), 8443, "/"),
            "[2606:4700::1111]:8443",
        ),
    ],
)
def test_a_public_address_is_read_to_one_spelling(url: str, target: Target, authority: str) -> None:
    found = read_url(url, STRICT)
    assert (found, found.authority) == (target, authority)


PRIVATE = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.255.255.255",
    "100.64.0.1", "100.127.255.255", "198.18.0.1", "198.19.255.255", "::1", "fc00::1", "fd12:3456::1",
    "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "fe80::1", "fec0::1",
    "ff02::1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:808:808::1", "3fff::1", "4000::1",
    "5f00::1",
    "fd00:ec2::254", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::8.8.8.8", "64:ff9b::169.254.169.254",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
    "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "198.17.255.255",
    "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE + NEVER)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(UrlRefused):
        check(ip_address(address), STRICT)


@pytest.mark.parametrize("address", NEVER)
def test_what_no_network_needs_is_refused_to_intranets_too(address: str) -> None:
    with pytest.raises(UrlRefused):
        check(ip_address(address), OPEN)


@pytest.mark.parametrize("address", PRIVATE + PUBLIC)
def test_an_intranet_may_be_allowed(address: str) -> None:
    check(ip_address(address), OPEN)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_neighbours_of_every_range_are_public(address: str) -> None:
    check(ip_address(address), STRICT)


def test_http_and_any_port_may_be_allowed() -> None:
    assert read_url("http://127.0.0.1:6001/a", OPEN).port == 6001
    assert read_url("http://localhost/a", OPEN).port == 80


@pytest.mark.parametrize(
    "answer",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["2606:4700::1111", "::1"], ["fe80::1%2"], ["::ffff:169.254.169.254"]],
)
def test_a_name_is_refused_when_one_of_its_addresses_is(answer: list[str]) -> None:
    resolver = Resolver(STRICT, lambda *_: answer)
    with pytest.raises(UrlRefused):
        asyncio.run(resolver.addresses(read_url("https://two-faces.example", STRICT), 5.0))
    resolver.close()


@pytest.mark.parametrize("name", ["127.1", "0x7f.1", "017700000001", "localhost", "127.0.0.1.nip.invalid"])
def test_the_resolver_of_this_system_is_never_asked_for_a_number(name: str) -> None:
    """``getaddrinfo`` takes all of them but the last for addresses."""
    asked: list[str] = []

    def lookup(host: str, _: int) -> list[str]:
        asked.append(host)
        return []

    resolver = Resolver(STRICT, lookup)
    with pytest.raises((UrlRefused, OSError)):
        asyncio.run(resolver.addresses(read_url(f"https://{name}/", STRICT), 5.0))
    assert [host for host in asked if not host.endswith(".invalid")] == []
    resolver.close()
