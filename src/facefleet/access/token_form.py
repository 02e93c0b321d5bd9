"""Reads the form of a token (JWS Compact Serialization, RFC 7515) more strictly than the library that verifies it.

Whatever could make two readers of one token see different things, or make the reader fetch, inflate or trust something
that the token itself brings along, is refused before any key is looked up (RFC 8725).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facefleet.access.reasons import Reason
from facefleet.errors.access import CredentialInvalid
from facefleet.strict_json import JsonRefused, parse

MAX_TOKEN_BYTES = 8_192
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
# Keys or certificates of its own, extensions, payloads that are encoded, deflated, encrypted or another token.
_REFUSED_HEADERS = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty"})
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})  # an access token, by RFC 9068, or unnamed
_LONGEST_KID = 256


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a token says of its signature.

    Attributes:
        algorithm: ``alg``; whether it is allowed is not checked yet.
        kid: Which of the issuer's keys signed it.
    """

    algorithm: str
    kid: str | None


def header_of(token: str) -> Header:
    """The header of a token of the right form.

    Raises:
        CredentialInvalid: It is no signed token, or its header asks for something that is never done.
    """
    segments = token.split(".")
    if len(token) > MAX_TOKEN_BYTES or len(segments) != 3 or not all(_SEGMENT.fullmatch(s) for s in segments):
        raise invalid(
            Reason.FORM, f"The token is no signed JWT: three parts of base64url, {MAX_TOKEN_BYTES:,} bytes at most."
        )
    header = json_object(_decoded(segments[0]))
    _decoded(segments[2])
    if refused := sorted(_REFUSED_HEADERS & header.keys()):
        raise invalid(Reason.TOKEN_HEADER, f"The token's header has {', '.join(refused)}, which is not taken.")
    kind, algorithm, kid = header.get("typ", "JWT"), header.get("alg"), header.get("kid")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise invalid(Reason.TOKEN_HEADER, "The token's typ says that it is no access token.")
    if not isinstance(algorithm, str) or not (kid is None or (isinstance(kid, str) and len(kid) <= _LONGEST_KID)):
        raise invalid(Reason.TOKEN_HEADER, "The token's alg and kid must be texts.")
    return Header(algorithm, kid)


def json_object(data: bytes) -> Mapping[str, Any]:
    """The JSON object in these bytes; a name may come once only, since readers differ in which of two they take.

    Raises:
        CredentialInvalid: There is none.
    """
    try:
        value = parse(data)
    except JsonRefused:
        value = None
    if not isinstance(value, dict):
        raise invalid(Reason.FORM, "A part of the token is no JSON object, or has a name twice.")
    return value


def invalid(reason: Reason, message: str) -> CredentialInvalid:
    """The error of a credential that cannot be used; the message never has a part of it."""
    return CredentialInvalid(message, reason=reason.value)


def _decoded(segment: str) -> bytes:
    """The bytes of a segment, which must be the one text that stands for them."""
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):
        data = b""
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise invalid(Reason.FORM, "A part of the token is no base64url.")
    return data
