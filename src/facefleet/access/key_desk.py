"""Gathers what handles API keys: their records, what makes them, what verifies them, and when they were used."""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.access.key_maker import KeyMaker
from facefleet.access.key_records import KeyRecords
from facefleet.access.key_secrets import hasher_of
from facefleet.access.key_verifier import KeyVerifier
from facefleet.access.uses import KeyUses
from facefleet.clock import Clock
from facefleet.config import Settings
from facefleet.tasks.tables.database import Database


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """What handles the API keys of one database."""

    records: KeyRecords
    maker: KeyMaker
    verifier: KeyVerifier
    uses: KeyUses

    @classmethod
    def build(cls, settings: Settings, database: Database, clock: Clock) -> KeyDesk:
        """From the settings.

        Raises:
            ConfigInvalid: There is no secret that keys can be hashed with.
        """
        records, hasher = KeyRecords(database, clock), hasher_of(settings)
        return cls(
            records, KeyMaker(records, hasher, clock), KeyVerifier(records, hasher, clock), KeyUses(records, clock)
        )
