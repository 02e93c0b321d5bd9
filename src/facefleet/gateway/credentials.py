"""Reads what a request shows: a bearer credential, or the cookie of a session with the proof that our page sends it."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import Scope

from facefleet.access.reasons import Reason
from facefleet.access.session import SessionSecret
from facefleet.errors.access import CredentialInvalid, CsrfTokenInvalid, Unauthenticated
from facefleet.gateway.caller import SECURE

CSRF_HEADER = "x-csrf-token"
OVER_TLS, PLAIN = "__Host-facefleet", "facefleet"
"""Names of the cookie."""

_BEARER = re.compile(r"bearer +(?P<credential>[A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)  # RFC 6750, section 2.1
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits in base64url
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # methods that change nothing (RFC 9110, section 9.2.1)
_OUR_PAGES = frozenset({"same-origin", "none"})  # a page of ours, or the person by themselves


def bearer_of(headers: Headers) -> str:
    """The bearer credential of a request.

    Raises:
        Unauthenticated: There is none.
        CredentialInvalid: There are several, or it is of another scheme.
    """
    values = headers.getlist("authorization")
    if not values:
        raise Unauthenticated(
            "This needs an API key or a token: send it as `Authorization: Bearer …`.", reason=Reason.MISSING.value
        )
    match = _BEARER.fullmatch(values[0].strip()) if len(values) == 1 else None
    if match is None:
        raise CredentialInvalid(
            "One Authorization header with the scheme Bearer is taken, and nothing else.", reason=Reason.FORM.value
        )
    return match["credential"]


def session_of(scope: Scope, headers: Headers) -> SessionSecret | None:
    """The session that a request is answered for.

    None where an Authorization header came with it, which wins; nor where a page of another origin sent it, which could
    else have a person's browser ask for what that person may.

    Raises:
        CredentialInvalid: There are several cookies of that name, so somebody else set one of them; or it is malformed.
    """
    if "authorization" in headers or not of_own_origin(scope, headers):
        return None
    return cookie_of(scope, headers)


def cookie_of(scope: Scope, headers: Headers) -> SessionSecret | None:
    """What the cookie of a request holds, whatever else came with it; errors as above."""
    pairs = (pair.strip().partition("=") for line in headers.getlist("cookie") for pair in line.split(";"))
    values = [value for name, _, value in pairs if name == cookie_name(scope)]
    if not values:
        return None
    if len(values) > 1 or not _SECRET.fullmatch(values[0]):
        raise CredentialInvalid("The cookie of the session is not one of ours; sign in.", reason=Reason.FORM.value)
    return SessionSecret(values[0])


def cookie_name(scope: Scope) -> str:
    """The name of the cookie of a session.

    Over TLS its prefix has browsers take it from this very host and only with ``Secure``; over plain HTTP, which is for
    this machine or a closed network, they would refuse such a cookie.
    """
    return OVER_TLS if scope["state"][SECURE] else PLAIN


def require_csrf_token(scope: Scope, headers: Headers, secret: SessionSecret) -> None:
    """Check that a request that changes something has the token that only a reader of our answers knows.

    Raises:
        CsrfTokenInvalid: It has none, another one, or several.
    """
    tokens = headers.getlist(CSRF_HEADER)
    if scope["method"] not in _SAFE and (len(tokens) != 1 or not secret.confirms(tokens[0])):
        raise CsrfTokenInvalid(
            "A request by cookie that changes something needs one X-CSRF-Token, as GET /v1/session tells it.",
            reason=Reason.CSRF.value, header=CSRF_HEADER,
        )  # fmt: skip


def require_own_origin(scope: Scope, headers: Headers) -> None:
    """Check that no page of another origin sends a request.

    Raises:
        CsrfTokenInvalid: One does.
    """
    if not of_own_origin(scope, headers):
        raise CsrfTokenInvalid("A page of another origin cannot sign in here.", reason=Reason.CSRF.value)


def of_own_origin(scope: Scope, headers: Headers) -> bool:
    """Whether the browser says that a page of ours sends, or the person themselves; no browser says nothing.

    Fetch Metadata is believed where it is there (browsers leave it out over plain HTTP), else the origin (RFC 6454),
    which has the name that the browser asked for: a proxy must pass the Host header on.
    """
    sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
    if sites:
        return len(sites) == 1 and sites[0] in _OUR_PAGES
    ours = f"{'https' if scope['state'][SECURE] else 'http'}://{headers.get('host', '')}"
    return not origins or origins == [ours]
