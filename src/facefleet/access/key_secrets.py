"""Finds the secrets that API keys are hashed with: those of the settings, or one beside an SQLite file of records."""

from __future__ import annotations

import secrets

from facefleet.access.keys import KeyHasher
from facefleet.config import Settings
from facefleet.errors.input import ConfigInvalid
from facefleet.files import kept_secret
from facefleet.tasks.tables.database import file_of

_FILE = "keys.secret"
_BYTES = 32


def hasher_of(settings: Settings) -> KeyHasher:
    """What hashes keys, the same for every gateway and command line on these records.

    Raises:
        ConfigInvalid: There is no secret that all of them have, or it cannot be used.
    """
    given = settings.auth.key_secrets.get_secret_value()
    if given.strip():
        return KeyHasher.of(given)
    records = file_of(settings.records_url)
    if records is None:
        raise ConfigInvalid(
            "API keys on shared records are hashed with a secret that all gateways have: set "
            "FACEFLEET_AUTH__KEY_SECRETS or FACEFLEET_AUTH__KEY_SECRETS_FILE.",
            setting="auth.key_secrets",
        )
    made = kept_secret(records.parent / _FILE, _new_secret, "FACEFLEET_AUTH__KEY_SECRETS")
    return KeyHasher.of(made)


def _new_secret() -> str:
    return secrets.token_urlsafe(_BYTES)
