"""Fetches and reads a JWK Set (RFC 7517): of each entry only what verifies signatures, and only keys that are safe."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from facefleet.access.token_form import json_object
from facefleet.errors.access import CredentialInvalid
from facefleet.errors.outage import IssuerUnavailable
from facefleet.observability.logs import logger

MAX_BYTES = 262_144
MAX_KEYS = 100
SHORTEST_RSA_BITS = 2_048
_TIMEOUT_SECONDS = 5.0  # for the whole document
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}  # nothing that grows when it is read

_log = logger(__name__)


class JwksUrl:
    """A JWK Set on the web. No redirect is followed, and no proxy of the environment used.

    Args:
        url: ``https://…``, or ``http://`` on loopback.
        trust: The authorities whose certificates are accepted.
    """

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        self._url = url
        self._trust = trust

    async def __call__(self) -> bytes:
        """The document.

        Raises:
            IssuerUnavailable: It does not come, not in time, or not in this size.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return await self._read()
        except (httpx.HTTPError, TimeoutError) as error:
            raise _away(type(error).__name__) from None

    async def _read(self) -> bytes:
        data = bytearray()
        async with (
            httpx.AsyncClient(verify=self._trust, trust_env=False, timeout=_TIMEOUT_SECONDS) as client,
            client.stream("GET", self._url, headers=_HEADERS) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise _away(f"status {response.status_code}")
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise _away(f"over {MAX_BYTES:,} bytes")
        return bytes(data)


def keys_of(document: bytes) -> Mapping[tuple[str | None, str], Key]:
    """The keys that can verify, by ``kid`` and algorithm; entries that cannot are left out.

    Raises:
        IssuerUnavailable: The document is no set of keys, or none of its keys can be used.
    """
    try:
        listed = json_object(document).get("keys")
    except CredentialInvalid:
        listed = None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise _away("no set of keys")
    found: dict[tuple[str | None, str], Key] = {}
    for entry in listed:
        for algorithm, key in _usable(entry).items():
            found.setdefault((entry.get("kid"), algorithm), key)
    if not found:
        raise _away("no usable key")
    return found


def _usable(entry: object) -> Mapping[str, Key]:
    """The key of an entry by the algorithms that it is for; none where it is not for verifying, or not safe."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str | None):
        return {}
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return {}
    if "d" in entry:  # it is not secret any more, so whoever read it can sign
        _log.warning("issuer.private_key_published", kid=entry.get("kid"))
        return {}
    try:
        keys = _imported(entry)
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm) as error:
        _log.warning("issuer.key_unusable", kid=entry.get("kid"), cause=type(error).__name__)
        return {}
    wanted = entry.get("alg")
    return {name: key for name, key in keys.items() if wanted is None or name == wanted}


def _imported(entry: Mapping[str, Any]) -> Mapping[str, Key]:
    """A key by its algorithms, from the members that make it; those of curves and types that are not ours are none."""
    match entry.get("kty"), entry.get("crv"):
        case "RSA", None:
            rsa = RSAKey.import_key({name: entry[name] for name in ("kty", "n", "e")})
            return {"RS256": rsa} if rsa.public_key.key_size >= SHORTEST_RSA_BITS else {}
        case "EC", "P-256":
            return {"ES256": ECKey.import_key({name: entry[name] for name in ("kty", "crv", "x", "y")})}
        case "OKP", "Ed25519":
            okp = OKPKey.import_key({name: entry[name] for name in ("kty", "crv", "x")})
            return {"EdDSA": okp, "Ed25519": okp}  # one algorithm by two names (RFC 9864)
    return {}


def _away(cause: str) -> IssuerUnavailable:
    return IssuerUnavailable("The keys of the issuer of tokens cannot be fetched; try again.", cause=cause)
