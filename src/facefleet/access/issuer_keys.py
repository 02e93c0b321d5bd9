"""Keeps the public keys of the issuer of tokens (JWK Set, RFC 7517), fetched by URL: few fetches, no blind trust.

A set is fetched again when it is older than ``FRESH_SECONDS``, while the old one goes on being used for as long again,
and when a token names a key that it has not, at most every ``PAUSE_SECONDS``: so a key is known that long after it was
published, and forged names make no more fetches than that. While the issuer is away the last set is used for
``KEPT_SECONDS``; then, and for keys that nobody can look up meanwhile, the answer is an outage: nobody is let in
unverified.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from joserfc.jwk import Key

from facefleet.access.jwks import keys_of
from facefleet.access.reasons import Reason
from facefleet.access.token_form import Header, invalid
from facefleet.errors.outage import IssuerUnavailable
from facefleet.observability.logs import logger

FRESH_SECONDS = 300.0
PAUSE_SECONDS = 10.0
KEPT_SECONDS = 3600.0

Fetch = Callable[[], Awaitable[bytes]]

_log = logger(__name__)


class IssuerKeys:
    """The keys of one issuer. All methods are for one event loop.

    Args:
        fetch: The document as it is now; raises ``IssuerUnavailable``.
        clock: s, monotonic.
    """

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[tuple[str | None, str], Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, header: Header) -> Key:
        """The key that a token says it is signed with.

        Raises:
            CredentialInvalid: The issuer has no such key for this algorithm.
            IssuerUnavailable: That cannot be known now.
        """
        key = self._usable(header)
        if key is None or self._unused():
            await self._refresh()
            key = self._usable(header)
        elif self._age() > FRESH_SECONDS:
            self._begin()
        if key is not None:
            return key
        if self._age() > KEPT_SECONDS or self._fetched_at != self._tried_at:
            raise IssuerUnavailable(
                "The keys of the issuer of tokens cannot be fetched; try again.", retry_after=round(PAUSE_SECONDS)
            )
        raise invalid(Reason.TOKEN_KEY_UNKNOWN, "The issuer has no key as the token names it.")

    def _unused(self) -> bool:
        """Whether nobody has needed the set for so long that its keys may have been taken back; not in an outage."""
        return self._age() > 2 * FRESH_SECONDS and self._fetched_at == self._tried_at

    def _usable(self, header: Header) -> Key | None:
        """The key, while the set may be used; a token without a name has the only key of its algorithm."""
        if self._age() > KEPT_SECONDS:
            return None
        if header.kid is not None:
            return self._keys.get((header.kid, header.algorithm))
        fitting = [key for (_, algorithm), key in self._keys.items() if algorithm == header.algorithm]
        return fitting[0] if len(fitting) == 1 else None

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    async def _refresh(self) -> None:
        """Wait for the fetch under way, or for a new one where one is due; a caller that leaves does not end it."""
        self._begin()
        if self._refreshing is not None:
            await asyncio.shield(self._refreshing)

    def _begin(self) -> None:
        due = self._tried_at is None or self._clock() - self._tried_at >= PAUSE_SECONDS
        if due and self._refreshing is None:
            self._refreshing = asyncio.create_task(self._take())

    async def _take(self) -> None:
        """Fetch the set; one that cannot be had or used leaves the last one in place."""
        self._tried_at = self._clock()
        try:
            self._keys = keys_of(await self._fetch())
            self._fetched_at = self._tried_at
        except IssuerUnavailable as error:
            _log.warning("issuer.away", cause=error.detail.get("cause"))
        finally:
            self._refreshing = None
