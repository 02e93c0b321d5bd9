"""Tokens: the good ones are taken, and forged, malformed and misdirected ones are not, each for its own reason."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey
from tests.access.issuer import AUDIENCE, ISSUER, SECRET, b64, claims, key_of, public, shared, sign, sign_raw
from tests.tasks.fakes import START, FakeClock

from facefleet.access.claims import ClaimNames
from facefleet.access.issuer_keys import IssuerKeys
from facefleet.access.permissions import Permission
from facefleet.access.principal import Credential, CredentialKind, Principal
from facefleet.access.reasons import Reason
from facefleet.access.roles import Role, permissions_of
from facefleet.access.token_form import MAX_TOKEN_BYTES
from facefleet.access.tokens import TokenRules, Tokens
from facefleet.errors.access import CredentialExpired, CredentialInvalid, Unauthenticated

NAMES = ClaimNames(tenant="tenant", subject="sub", roles="roles", plan="plan")
ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")
LEEWAY = 30


def tokens(clock: FakeClock, names: ClaimNames = NAMES) -> Tokens:
    """With a shared secret and an issuer that has a key of each kind."""
    document = json.dumps({"keys": [public(key_of(name), name) for name in ("RS256", "ES256", "EdDSA", "Ed25519")]})

    async def fetch() -> bytes:
        return document.encode()

    return Tokens(TokenRules(ISSUER, AUDIENCE, LEEWAY, names), clock, IssuerKeys(fetch), OctKey.import_key(SECRET))


def verify(token: str, clock: FakeClock | None = None, names: ClaimNames = NAMES) -> tuple[Principal, float]:
    return asyncio.run(tokens(clock or FakeClock(), names).verify(token))


def good(**changes: Any) -> str:
    return sign(claims(START, **changes), shared(), "HS256")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_the_issuers_key_is_taken(algorithm: str) -> None:
    token = sign(claims(START, plan="vip"), key_of(algorithm), algorithm, algorithm, typ="at+jwt")
    principal, seconds = verify(token)
    assert principal == Principal(
        tenant="acme", subject="alice", roles=frozenset({Role.MEMBER}), permissions=permissions_of([Role.MEMBER]),
        credential=Credential(CredentialKind.TOKEN, "t-1"), plan="vip",
    )  # fmt: skip
    assert seconds == 600 + LEEWAY


def test_a_token_of_the_shared_secret_is_taken() -> None:
    assert verify(good())[0].subject == "alice"


def test_the_names_of_claims_are_the_operators() -> None:
    names = ClaimNames("https://acme.example/t.e", "user.id", "realm_access.roles", "tier")
    content = claims(
        START, user={"id": "bob"}, realm_access={"roles": ["viewer", "offline_access"]}, tier="gold",
        **{"https://acme.example/t.e": "north", "tenant": "south", "roles": ["operator"]},
    )  # fmt: skip
    principal, _ = verify(sign(content, shared(), "HS256"), names=names)
    assert (principal.tenant, principal.subject, principal.plan) == ("north", "bob", "gold")
    assert principal.roles == {Role.VIEWER}


def test_roles_may_be_one_text_and_unknown_ones_allow_nothing() -> None:
    assert verify(good(roles="member operator email"))[0].roles == {Role.MEMBER, Role.OPERATOR}
    for nothing in ("", [], ["root", "admin"], None):
        assert verify(good(roles=nothing))[0].permissions == frozenset()
    assert Permission.TASKS_CREATE not in verify(good(roles=["viewer"]))[0].permissions


def test_an_audience_may_be_one_of_several() -> None:
    assert verify(good(aud=["other", AUDIENCE]))[0].tenant == "acme"


@pytest.mark.parametrize(("late", "taken"), [(0, True), (600 + LEEWAY - 1, True), (600 + LEEWAY, False)])
def test_clocks_may_differ_a_little_at_the_end(late: float, taken: bool) -> None:
    clock = FakeClock()
    clock.advance(late)
    if taken:
        assert 0 < verify(good(), clock)[1] <= 600 + LEEWAY
        return
    with pytest.raises(CredentialExpired) as caught:
        verify(good(), clock)
    assert caught.value.detail["reason"] == Reason.TOKEN_EXPIRED


@pytest.mark.parametrize(("early", "taken"), [(LEEWAY, True), (LEEWAY + 1, False)])
def test_clocks_may_differ_a_little_at_the_beginning(early: float, taken: bool) -> None:
    clock = FakeClock()
    clock.advance(-early)
    if taken:
        assert verify(good(), clock)[0].tenant == "acme"
        return
    with pytest.raises(CredentialInvalid) as caught:
        verify(good(), clock)
    assert caught.value.detail["reason"] == Reason.TOKEN_CLAIMS


def at(seconds: float) -> int:
    return int(START.timestamp() + seconds)


def head(**header: Any) -> str:
    """The good claims under another header, signed with the shared secret."""
    return sign(claims(START), shared(), "HS256", **header)


def parts(token: str) -> list[str]:
    return token.split(".")


def confused() -> str:
    """HS256 with the public key of RS256 as the secret, the classic confusion."""
    key = key_of("RS256")
    assert isinstance(key, RSAKey)
    pem = key.as_pem(private=False)
    signed = f"{b64(json.dumps({'alg': 'HS256', 'kid': 'RS256'}).encode())}.{b64(json.dumps(claims(START)).encode())}"
    return f"{signed}.{b64(hmac.digest(pem, signed.encode(), hashlib.sha256))}"


def stripped(algorithm: str) -> str:
    """Without a signature, as `none` and its spellings would have it."""
    return f"{b64(json.dumps({'alg': algorithm}).encode())}.{b64(json.dumps(claims(START)).encode())}."


def unsigned(algorithm: str) -> str:
    """The same with something in its place."""
    return stripped(algorithm) + b64(b"nothing")


def flipped(token: str, part: int) -> str:
    """One bit of one part is another."""
    found = parts(token)
    middle = len(found[part]) // 2
    found[part] = found[part][:middle] + ("A" if found[part][middle] != "A" else "B") + found[part][middle + 1 :]
    return ".".join(found)


def by_another(algorithm: str) -> str:
    """Of a key that the issuer does not have, under the name of one that it has."""
    return sign(claims(START), key_of(algorithm, 1), algorithm, algorithm)


def nested() -> str:
    return sign_raw(json.dumps({"alg": "HS256", "cty": "JWT"}), good(), shared(), "HS256")


def bare() -> str:
    """A key of its own, the key by which it is signed."""
    key = key_of("ES256", 2)
    return sign(claims(START), key, "ES256", jwk=public(key, None))


def deflated() -> str:
    return sign_raw('{"alg":"HS256","zip":"DEF"}', zlib.compress(json.dumps(claims(START)).encode()), shared(), "HS256")


def payload(text: str | bytes) -> str:
    return sign_raw('{"alg":"HS256"}', text, shared(), "HS256")


def header(text: str) -> str:
    return sign_raw(text, json.dumps(claims(START)), shared(), "HS256")


def padded() -> str:
    first, second, third = parts(good())
    return f"{first}.{second}.{third}="


def loose() -> str:
    """The same signature in another spelling: bits that no byte has are set."""
    first, second, third = parts(good())
    return f"{first}.{second}.{third[:-1]}{chr(ord(third[-1]) + 1)}"


TWICE = json.dumps(claims(START))[:-1] + ', "tenant": "victim"}'
JWE = ".".join([b64(b'{"alg":"dir","enc":"A128GCM"}'), "", b64(b"iv"), b64(b"text"), b64(b"tag")])

FORGED: dict[str, tuple[Callable[[], str], Reason]] = {
    "none": (lambda: unsigned("none"), Reason.TOKEN_ALGORITHM),
    "None": (lambda: unsigned("None"), Reason.TOKEN_ALGORITHM),
    "nOnE": (lambda: unsigned("nOnE"), Reason.TOKEN_ALGORITHM),
    "none without a signature": (lambda: stripped("none"), Reason.FORM),
    "no signature": (lambda: stripped("HS256"), Reason.FORM),
    "public key as secret": (confused, Reason.TOKEN_SIGNATURE),
    "RS256 of the shared secret": (lambda: header('{"alg":"RS256","kid":"RS256"}'), Reason.TOKEN_SIGNATURE),
    "ES256 with the name of an RSA key": (
        lambda: sign(claims(START), key_of("ES256"), "ES256", "RS256"), Reason.TOKEN_KEY_UNKNOWN,
    ),
    "EdDSA with the name of an EC key": (
        lambda: sign(claims(START), key_of("EdDSA"), "EdDSA", "ES256"), Reason.TOKEN_KEY_UNKNOWN,
    ),
    "an algorithm that is not taken": (lambda: head(alg="HS512"), Reason.TOKEN_ALGORITHM),
    "PS256": (lambda: head(alg="PS256", kid="RS256"), Reason.TOKEN_ALGORITHM),
    "the algorithm in small letters": (lambda: head(alg="hs256"), Reason.TOKEN_ALGORITHM),
    "no algorithm": (lambda: header('{"typ":"JWT"}'), Reason.TOKEN_HEADER),
    "an algorithm that is a list": (lambda: head(alg=["HS256"]), Reason.TOKEN_HEADER),
    "an algorithm twice": (lambda: header('{"alg":"none","alg":"HS256"}'), Reason.FORM),
    "a key of its own": (bare, Reason.TOKEN_HEADER),
    "an address of keys": (lambda: head(jku="https://evil.example/keys"), Reason.TOKEN_HEADER),
    "an address of certificates": (lambda: head(x5u="https://evil.example/cert"), Reason.TOKEN_HEADER),
    "a certificate of its own": (lambda: head(x5c=["MIIB"]), Reason.TOKEN_HEADER),
    "a critical extension": (lambda: head(crit=["exp"], exp=1), Reason.TOKEN_HEADER),
    "a payload that is not encoded": (lambda: head(b64=False, crit=["b64"]), Reason.TOKEN_HEADER),
    "a deflated payload": (deflated, Reason.TOKEN_HEADER),
    "a token in a token": (nested, Reason.TOKEN_HEADER),
    "a logout token": (lambda: head(typ="logout+jwt"), Reason.TOKEN_HEADER),
    "a type that is a number": (lambda: head(typ=7), Reason.TOKEN_HEADER),
    "a key name that is a number": (lambda: head(kid=7), Reason.TOKEN_HEADER),
    "a key name that is a path": (
        lambda: sign(claims(START), key_of("RS256"), "RS256", "../../dev/null"), Reason.TOKEN_KEY_UNKNOWN,
    ),
    "a key name that is too long": (lambda: head(kid="k" * 257), Reason.TOKEN_HEADER),
    "a key name that is SQL": (
        lambda: sign(claims(START), key_of("RS256"), "RS256", "' OR 1=1"), Reason.TOKEN_KEY_UNKNOWN,
    ),
    "no key name where there are several keys": (
        lambda: sign(claims(START), key_of("EdDSA"), "EdDSA"), Reason.TOKEN_KEY_UNKNOWN,
    ),
    "another RSA key": (lambda: by_another("RS256"), Reason.TOKEN_SIGNATURE),
    "another EC key": (lambda: by_another("ES256"), Reason.TOKEN_SIGNATURE),
    "another Ed25519 key": (lambda: by_another("EdDSA"), Reason.TOKEN_SIGNATURE),
    "another secret": (
        lambda: sign(claims(START), OctKey.import_key("another secret of more than 32 bytes"), "HS256"),
        Reason.TOKEN_SIGNATURE,
    ),
    "a changed payload": (lambda: flipped(good(), 1), Reason.TOKEN_SIGNATURE),
    "a changed signature": (lambda: flipped(good(), 2), Reason.TOKEN_SIGNATURE),
    "an ECDSA signature of zeros": (
        lambda: ".".join([*parts(sign(claims(START), key_of("ES256"), "ES256", "ES256"))[:2], b64(bytes(64))]),
        Reason.TOKEN_SIGNATURE,
    ),
    "an ECDSA signature that is too short": (
        lambda: ".".join([*parts(sign(claims(START), key_of("ES256"), "ES256", "ES256"))[:2], b64(bytes(7))]),
        Reason.TOKEN_SIGNATURE,
    ),
    "an encrypted token": (lambda: JWE, Reason.FORM),
    "two parts": (lambda: good().rpartition(".")[0], Reason.FORM),
    "four parts": (lambda: good() + ".AAAA", Reason.FORM),
    "padding": (padded, Reason.FORM),
    "another spelling of the same bytes": (loose, Reason.FORM),
    "a part of one character": (lambda: "A.A.A", Reason.FORM),
    "a header that is no JSON": (lambda: header("{alg:HS256}"), Reason.FORM),
    "a header that is a list": (lambda: header('["HS256"]'), Reason.FORM),
    "a header in UTF-16": (
        lambda: b64('{"alg":"HS256"}'.encode("utf-16")) + "." + ".".join(parts(good())[1:]), Reason.FORM,
    ),
    "too long": (lambda: good(more="x" * MAX_TOKEN_BYTES), Reason.FORM),
    "a payload that is a number": (lambda: payload("7"), Reason.FORM),
    "a payload that is no text": (lambda: payload(b"\xff\xfe"), Reason.FORM),
    "a tenant twice": (lambda: payload(TWICE), Reason.FORM),
    "a deep payload": (lambda: payload("[" * 2_500 + "]" * 2_500), Reason.FORM),
    "not a number": (lambda: payload(json.dumps(claims(START, exp=float("nan")))), Reason.FORM),
    "an infinite life": (lambda: payload(json.dumps(claims(START, exp=float("inf")))), Reason.FORM),
    "no end": (lambda: good(exp=None), Reason.TOKEN_CLAIMS),
    "an end that is a text": (lambda: good(exp=str(at(600))), Reason.TOKEN_CLAIMS),
    "an end that is true": (lambda: good(exp=True), Reason.TOKEN_CLAIMS),
    "a beginning that is a text": (lambda: good(nbf="0"), Reason.TOKEN_CLAIMS),
    "issued tomorrow": (lambda: good(iat=at(86_400)), Reason.TOKEN_CLAIMS),
    "no issuer": (lambda: good(iss=None), Reason.TOKEN_CLAIMS),
    "another issuer": (lambda: good(iss=ISSUER + "/"), Reason.TOKEN_CLAIMS),
    "several issuers": (lambda: good(iss=[ISSUER]), Reason.TOKEN_CLAIMS),
    "no audience": (lambda: good(aud=None), Reason.TOKEN_CLAIMS),
    "another audience": (lambda: good(aud="facefleet-staging"), Reason.TOKEN_CLAIMS),
    "a part of the audience": (lambda: good(aud="face"), Reason.TOKEN_CLAIMS),
    "an audience of other things": (lambda: good(aud=[{"name": AUDIENCE}]), Reason.TOKEN_CLAIMS),
    "no tenant": (lambda: good(tenant=None), Reason.TOKEN_CLAIMS),
    "a tenant that leads elsewhere": (lambda: good(tenant="../victim"), Reason.TOKEN_CLAIMS),
    "a tenant with a slash": (lambda: good(tenant="acme/../victim"), Reason.TOKEN_CLAIMS),
    "a tenant with a line end": (lambda: good(tenant="acme\n"), Reason.TOKEN_CLAIMS),
    "a tenant of other letters": (lambda: good(tenant="аcme"), Reason.TOKEN_CLAIMS),
    "an empty tenant": (lambda: good(tenant=""), Reason.TOKEN_CLAIMS),
    "a tenant that is too long": (lambda: good(tenant="a" * 65), Reason.TOKEN_CLAIMS),
    "several tenants": (lambda: good(tenant=["acme", "victim"]), Reason.TOKEN_CLAIMS),
    "no subject": (lambda: good(sub=None), Reason.TOKEN_CLAIMS),
    "a subject that is too long": (lambda: good(sub="a" * 256), Reason.TOKEN_CLAIMS),
    "a subject with a NUL": (lambda: good(sub="alice\0"), Reason.TOKEN_CLAIMS),
    "a subject of half a character": (lambda: good(sub="\ud800"), Reason.TOKEN_CLAIMS),
    "roles that are an object": (lambda: good(roles={"operator": True}), Reason.TOKEN_CLAIMS),
    "roles that are numbers": (lambda: good(roles=[1]), Reason.TOKEN_CLAIMS),
    "a plan with a slash": (lambda: good(plan="a/b"), Reason.TOKEN_CLAIMS),
}  # fmt: skip


def test_there_are_enough_of_them() -> None:
    assert len(FORGED) > 70


@pytest.mark.parametrize("name", FORGED)
def test_what_is_forged_or_malformed_is_refused(name: str) -> None:
    make, reason = FORGED[name]
    token = make()
    with pytest.raises(Unauthenticated) as caught:
        verify(token)
    assert (caught.value.code, caught.value.detail["reason"]) == ("credential_invalid", reason)
    said = caught.value.message + str(caught.value.detail)
    assert all(part not in said for part in token.split(".") if len(part) > 8), "nothing of it is repeated"


def test_a_life_that_no_number_holds_is_long() -> None:
    assert verify(payload(json.dumps(claims(START))[:-1].replace(str(at(600)), "1" + "0" * 400) + "}"))[1] > 1e9


def test_an_algorithm_is_taken_only_where_it_is_configured() -> None:
    async def nobody() -> bytes:
        raise AssertionError

    rules = TokenRules(ISSUER, AUDIENCE, LEEWAY, NAMES)
    for only, token in (
        (Tokens(rules, FakeClock(), IssuerKeys(nobody)), good()),
        (Tokens(rules, FakeClock(), secret=OctKey.import_key(SECRET)), by_another("RS256")),
    ):
        with pytest.raises(CredentialInvalid) as caught:
            asyncio.run(only.verify(token))
        assert caught.value.detail["reason"] == Reason.TOKEN_ALGORITHM


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(tokens(FakeClock()))
