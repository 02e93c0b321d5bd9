"""Verifies API keys against the records: one read by prefix, one keyed hash, then whether the key still works."""

from __future__ import annotations

import math

import anyio.to_thread

from facefleet.access.api_key import ApiKey, KeyState
from facefleet.access.key_records import KeyRecords
from facefleet.access.keys import KeyHasher, parse
from facefleet.access.principal import Principal
from facefleet.access.reasons import Reason
from facefleet.clock import Clock
from facefleet.errors.access import CredentialExpired, CredentialInvalid, CredentialRevoked


class KeyVerifier:
    """Verifies API keys against the records."""

    def __init__(self, records: KeyRecords, hasher: KeyHasher, clock: Clock) -> None:
        self._records = records
        self._hasher = hasher
        self._clock = clock

    async def verify(self, text: str) -> tuple[Principal, float]:
        """The principal of a key, and for how many s more it is valid.

        Raises:
            CredentialInvalid: It is mistyped, or nobody was given it.
            CredentialExpired: Its time is over.
            CredentialRevoked: It was revoked.
            RecordsUnavailable: They do not answer.
        """
        key = parse(text)
        found = await anyio.to_thread.run_sync(self._records.find, key.prefix)
        stored, digest = found or (None, "")
        if not self._hasher.matches(key, digest) or stored is None:
            raise CredentialInvalid("There is no such API key.", reason=Reason.KEY_UNKNOWN.value)
        return stored.principal(), self._seconds_left(stored)

    def _seconds_left(self, key: ApiKey) -> float:
        now = self._clock()
        match key.state(now):
            case KeyState.REVOKED:
                raise CredentialRevoked("The API key was revoked.", reason=Reason.KEY_REVOKED.value, key_id=key.id)
            case KeyState.EXPIRED:
                raise CredentialExpired("The API key has expired.", reason=Reason.KEY_EXPIRED.value, key_id=key.id)
        return math.inf if key.expires_at is None else (key.expires_at - now).total_seconds()
