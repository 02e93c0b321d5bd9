"""Signs messages by Standard Webhooks: HMAC-SHA256 over id, time and body, once per secret, so that secrets can change.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facefleet.config import Settings
from facefleet.errors.input import ConfigInvalid
from facefleet.files import kept_secret, reason
from facefleet.tasks.tables.database import file_of

_PREFIX = "whsec_"
_KEY_BYTES = 32
_SHORTEST, _LONGEST = 24, 64  # bytes of a key, by the standard
_FILE = "webhook.secret"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with every configured secret.

    Attributes:
        keys: At least one, the newest first.
    """

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Signer:
        """From ``whsec_…`` secrets separated by blanks.

        Raises:
            ConfigInvalid: There is none, or one is not base64 of 24 to 64 bytes.
        """
        keys = tuple(_key(secret, number) for number, secret in enumerate(text.split(), 1))
        if not keys:
            raise _invalid("there is none")
        return cls(keys)

    @classmethod
    def of_file(cls, path: Path) -> Signer:
        """From a file of such secrets.

        Raises:
            ConfigInvalid: It cannot be read, or as above; the message names the file, and nothing that is in it.
        """
        try:
            return cls.of(path.read_text(encoding="ascii"))
        except ConfigInvalid as error:
            raise ConfigInvalid(f"{path} cannot be used: {error.message}", path=str(path)) from None
        except (OSError, UnicodeDecodeError) as error:
            why = reason(error) if isinstance(error, OSError) else "it is not ASCII text"
            raise ConfigInvalid(f"{path} cannot be read: {why}.", path=str(path)) from None

    def headers(self, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
        """The headers by which a receiver verifies origin and age of a message.

        Args:
            message_id: The same in every attempt.
            timestamp: s since 1970, of this attempt.
            body: As it is sent.
        """
        signed = f"{message_id}.{timestamp}.".encode() + body
        macs = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in self.keys)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(f"v1,{mac}" for mac in macs),
        }


def secrets_of(settings: Settings) -> str | None:
    """The secrets, separated by blanks; none where none is set and every gateway would make its own.

    Raises:
        ConfigInvalid: The one of an embedded service cannot be read or made.
    """
    given = settings.webhooks.secrets.get_secret_value()
    if given.strip():
        return given
    records = file_of(settings.records_url)
    return None if records is None else secret_beside(records)


def secret_beside(records: Path) -> str:
    """The secret of an embedded service, kept beside its records; made when it is asked for first.

    Raises:
        ConfigInvalid: It cannot be read or made.
    """
    return kept_secret(records.parent / _FILE, _new_secret, "FACEFLEET_WEBHOOKS__SECRETS")


def _new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _key(secret: str, number: int) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise _invalid(f"number {number} is not")
    return key


def _invalid(what: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"Secrets of webhooks (webhooks.secrets) are {_PREFIX}<base64 of {_SHORTEST} to {_LONGEST} bytes>; {what}.",
        setting="webhooks.secrets",
    )
