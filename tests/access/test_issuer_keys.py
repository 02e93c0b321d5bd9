"""The issuer's keys, from a real server: rotation, outage, forged names, and documents that are no key set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from tests.access.issuer import KeyServer, key_of, public
from tests.servers import free_port

from facefleet.access.issuer_keys import FRESH_SECONDS, KEPT_SECONDS, PAUSE_SECONDS, IssuerKeys
from facefleet.access.jwks import MAX_BYTES, MAX_KEYS, JwksUrl, keys_of
from facefleet.access.reasons import Reason
from facefleet.access.token_form import Header
from facefleet.errors.access import CredentialInvalid
from facefleet.errors.outage import IssuerUnavailable
from facefleet.trust import trust_of

OLD, NEW = Header("ES256", "old"), Header("EdDSA", "new")


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer().running() as running:
        running.publish(public(key_of("ES256"), "old"))
        yield running


Play = Callable[[IssuerKeys, Seconds], Awaitable[None]]


def play(url: str, scene: Play) -> None:
    """Run a scene with the keys at this address."""
    clock = Seconds()
    asyncio.run(scene(IssuerKeys(JwksUrl(url, trust_of(None, "auth.jwks_ca_file")), clock), clock))  # type: ignore[arg-type]


async def reason(keys: IssuerKeys, header: Header) -> str:
    with pytest.raises(CredentialInvalid) as caught:
        await keys.find(header)
    return str(caught.value.detail["reason"])


async def settled(keys: IssuerKeys) -> None:
    """Wait for the fetch in the background."""
    while keys._refreshing is not None:
        await asyncio.sleep(0.001)


def test_a_set_is_fetched_once_for_many(server: KeyServer) -> None:
    async def scene(keys: IssuerKeys, clock: Seconds) -> None:
        found = await asyncio.gather(*(keys.find(OLD) for _ in range(50)))
        assert {id(key) for key in found} == {id(found[0])}
        assert server.asked == 1
        clock.now += FRESH_SECONDS
        await keys.find(OLD)
        assert server.asked == 1

    play(server.url, scene)


def test_a_new_key_is_found_by_its_first_token_and_the_old_one_goes(server: KeyServer) -> None:
    async def scene(keys: IssuerKeys, clock: Seconds) -> None:
        await keys.find(OLD)
        server.publish(public(key_of("ES256"), "old"), public(key_of("EdDSA"), "new"))
        clock.now += PAUSE_SECONDS
        await keys.find(NEW)
        await keys.find(OLD)
        assert server.asked == 2
        server.publish(public(key_of("EdDSA"), "new"))
        clock.now += FRESH_SECONDS + 1
        await keys.find(NEW)
        await settled(keys)
        assert await reason(keys, OLD) == Reason.TOKEN_KEY_UNKNOWN

    play(server.url, scene)


def test_a_key_that_was_taken_back_while_nobody_asked_is_not_taken_once_more(server: KeyServer) -> None:
    async def scene(keys: IssuerKeys, clock: Seconds) -> None:
        await keys.find(OLD)
        server.publish(public(key_of("EdDSA"), "new"))
        clock.now += 2 * FRESH_SECONDS + 1
        assert await reason(keys, OLD) == Reason.TOKEN_KEY_UNKNOWN

    play(server.url, scene)


def test_forged_names_of_keys_make_few_fetches(server: KeyServer) -> None:
    async def scene(keys: IssuerKeys, clock: Seconds) -> None:
        for second in range(30):
            for number in range(20):
                assert await reason(keys, Header("RS256", f"{second} {number}")) == Reason.TOKEN_KEY_UNKNOWN
            clock.now += 1
        assert server.asked == 3

    play(server.url, scene)


def test_while_the_issuer_is_away_the_last_set_is_used_and_then_nobody_is_let_in(server: KeyServer) -> None:
    async def scene(keys: IssuerKeys, clock: Seconds) -> None:
        await keys.find(OLD)
        server.status = 500
        clock.now += FRESH_SECONDS + 1
        await keys.find(OLD)  # the new set is not waited for
        await settled(keys)
        assert server.asked == 2
        with pytest.raises(IssuerUnavailable):  # nobody can say whether there is such a key
            await keys.find(NEW)
        clock.now += KEPT_SECONDS - FRESH_SECONDS - 2
        await keys.find(OLD)
        await settled(keys)
        clock.now += 2
        with pytest.raises(IssuerUnavailable) as caught:
            await keys.find(OLD)
        assert caught.value.detail["retry_after"] == PAUSE_SECONDS
        server.status = 200
        clock.now += PAUSE_SECONDS
        await keys.find(OLD)  # it is back

    play(server.url, scene)


def test_an_issuer_that_was_never_there_is_an_outage_and_is_asked_now_and_then() -> None:
    server = KeyServer(port=free_port())

    async def scene(keys: IssuerKeys, clock: Seconds) -> None:
        for _ in range(3):
            with pytest.raises(IssuerUnavailable):
                await keys.find(OLD)
        with server.running():
            server.publish(public(key_of("ES256"), "old"))
            with pytest.raises(IssuerUnavailable):
                await keys.find(OLD)
            clock.now += PAUSE_SECONDS
            await keys.find(OLD)
        assert server.asked == 1

    play(server.url, scene)


def test_a_set_that_has_become_nonsense_does_not_replace_the_last_one(server: KeyServer) -> None:
    async def scene(keys: IssuerKeys, clock: Seconds) -> None:
        await keys.find(OLD)
        for body in (b"", b"<html>", b'{"keys": []}', b'{"keys": 7}', b"[" * 10_000, b"x" * (MAX_BYTES + 1)):
            server.body = body
            clock.now += PAUSE_SECONDS
            with pytest.raises(IssuerUnavailable):
                await keys.find(NEW)
            await keys.find(OLD)

    play(server.url, scene)


def test_a_redirect_is_not_followed(server: KeyServer) -> None:
    async def scene(keys: IssuerKeys, _: Seconds) -> None:
        server.status, server.headers = 302, {"Location": server.url}
        with pytest.raises(IssuerUnavailable):
            await keys.find(OLD)
        assert server.asked == 1

    play(server.url, scene)


def test_a_caller_that_leaves_does_not_end_the_fetch_for_others(server: KeyServer) -> None:
    async def scene(keys: IssuerKeys, _: Seconds) -> None:
        first, second = asyncio.create_task(keys.find(OLD)), asyncio.create_task(keys.find(OLD))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert server.asked == 1

    play(server.url, scene)


def read(*entries: Any) -> set[tuple[str | None, str]]:
    """What is taken of these entries, beside one that is always good."""
    good = public(OKPKey.generate_key("Ed25519", auto_kid=False), "good")
    found = set(keys_of(json.dumps({"keys": [good, *entries]}).encode()))
    return found - {("good", "EdDSA"), ("good", "Ed25519")}


def test_each_type_of_key_is_for_its_algorithm_only() -> None:
    assert read(public(key_of("RS256"), "a"), public(key_of("ES256"), "b"), public(key_of("EdDSA"), None)) == {
        ("a", "RS256"), ("b", "ES256"), (None, "EdDSA"), (None, "Ed25519"),
    }  # fmt: skip
    assert read(public(key_of("RS256"), "a", alg="RS256", use="sig", key_ops=["verify"])) == {("a", "RS256")}


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        public(key_of("RS256"), "a", alg="RS512"),
        public(key_of("RS256"), "a", alg="HS256"),
        public(key_of("RS256"), "a", use="enc"),
        public(key_of("RS256"), "a", key_ops=["encrypt"]),
        public(key_of("RS256"), "a", key_ops="verify"),
        {**key_of("ES256").as_dict(private=True), "kid": "a"},
        public(ECKey.generate_key("P-384", auto_kid=False), "a"),
        public(OKPKey.generate_key("X25519", auto_kid=False), "a"),
        {**public(key_of("ES256"), "a"), "y": public(key_of("ES256", 1), "a")["y"]},  # on no curve
        {**public(key_of("RS256"), "a"), "n": "!"},
        {**public(key_of("RS256"), "a"), "n": ""},
        {**public(key_of("RS256"), "a"), "e": 3},
        {"kty": "RSA", "kid": "a"},
        {"kid": "a"},
        {**public(key_of("RS256"), None), "kid": 7},
        "a",
        None,
    ],
)
def test_a_key_that_is_not_safe_or_not_for_this_is_left_out(entry: Any) -> None:
    assert read(entry) == set()


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_short_rsa_key_is_left_out() -> None:
    assert read(public(RSAKey.generate_key(1024, auto_kid=False), "a")) == set()


def test_a_set_of_too_many_keys_is_refused() -> None:
    with pytest.raises(IssuerUnavailable):
        read(*[public(key_of("ES256"), str(number)) for number in range(MAX_KEYS)])


def test_of_two_keys_with_one_name_the_first_counts() -> None:
    found = keys_of(json.dumps({"keys": [public(key_of("ES256", n), "a") for n in (0, 1)]}).encode())
    assert found["a", "ES256"].as_dict(private=False)["x"] == public(key_of("ES256", 0), "a")["x"]
