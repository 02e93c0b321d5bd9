"""Verifies bearer tokens (JWT, RFC 7519): form, signature by a key of the issuer's or a shared secret, then claims."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import Key, OctKey
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.jwt import JWTClaimsRegistry

from facefleet.access.claims import ClaimNames, principal_of
from facefleet.access.issuer_keys import IssuerKeys
from facefleet.access.principal import Principal
from facefleet.access.reasons import Reason
from facefleet.access.token_form import MAX_TOKEN_BYTES, Header, header_of, invalid, json_object
from facefleet.clock import Clock
from facefleet.errors.access import CredentialExpired

SECRET_ALGORITHM = "HS256"  # noqa: S105 - a name
KEY_ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA", "Ed25519"})
_NEVER = 1e12  # s since 1970, for a time that no float holds


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say to be meant for this service.

    Attributes:
        issuer: ``iss``, exactly.
        audience: ``aud``, or one of it.
        leeway: s that clocks may differ by.
        names: Of the claims that say who asks.
    """

    issuer: str
    audience: str
    leeway: int
    names: ClaimNames


@dataclass(frozen=True, slots=True)
class Tokens:
    """Verifies tokens by what is configured: a shared secret for HS256, the issuer's keys for all others.

    The algorithm decides where the key comes from, and each key is bound to its algorithm, so that a public key can
    never be taken for a secret.
    """

    rules: TokenRules
    clock: Clock
    issuer_keys: IssuerKeys | None = None
    secret: OctKey | None = field(default=None, repr=False)

    async def verify(self, token: str) -> tuple[Principal, float]:
        """The principal of a token, and for how many s more it is valid.

        Raises:
            CredentialInvalid: It is malformed, forged, or not meant for this service.
            CredentialExpired: Its time is over.
            IssuerUnavailable: Its key cannot be looked up now.
        """
        header = header_of(token)
        claims = json_object(_payload(token, header, await self._key(header)))
        return principal_of(claims, self.rules.names), self._seconds_left(claims)

    async def _key(self, header: Header) -> Key:
        if header.algorithm == SECRET_ALGORITHM and self.secret is not None:
            return self.secret
        if header.algorithm in KEY_ALGORITHMS and self.issuer_keys is not None:
            return await self.issuer_keys.find(header)
        raise invalid(Reason.TOKEN_ALGORITHM, "The token's algorithm is not one that this gateway takes.")

    def _seconds_left(self, claims: Mapping[str, Any]) -> float:
        """Check the claims that say for whom and when the token is valid (RFC 7519, section 4.1)."""
        rules, now = self.rules, self.clock().timestamp()
        wanted = JWTClaimsRegistry(
            now=math.floor(now), leeway=rules.leeway, exp={"essential": True},
            iss={"essential": True, "value": rules.issuer}, aud={"essential": True, "value": rules.audience},
        )  # fmt: skip
        try:
            wanted.validate(dict(claims))
        except ExpiredTokenError:
            raise CredentialExpired(
                "The time of the token is over; get a new one.", reason=Reason.TOKEN_EXPIRED.value
            ) from None
        except JoseError as error:
            raise invalid(Reason.TOKEN_CLAIMS, f"The token is not for use here: {error.description}.") from None
        return float(min(claims["exp"], _NEVER)) + rules.leeway - now


class _Registry(JWSRegistry):
    """Algorithms without the library's warning that EdDSA leaves the curve open (RFC 9864): here the key decides it."""

    max_header_length = MAX_TOKEN_BYTES  # the whole token was measured before

    def get_alg(self, name: str) -> Any:
        """The algorithm of a token, which was held against the allowed ones before."""
        return self.algorithms[name]


_REGISTRY = _Registry()


def _payload(token: str, header: Header, key: Key) -> bytes:
    """What was signed.

    Raises:
        CredentialInvalid: It was not signed with this key.
    """
    try:
        return bytes(deserialize_compact(token, key, [header.algorithm], _REGISTRY).payload)
    except (JoseError, ValueError, TypeError):
        raise invalid(Reason.TOKEN_SIGNATURE, "The token's signature is not valid.") from None
