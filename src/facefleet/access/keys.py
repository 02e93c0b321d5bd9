"""Makes API keys, tells a mistyped one from a forged one, and hashes them as they are stored.

A key is ``ff_live_`` or ``ff_test_``, then 12 characters by which it is found, 32 that are secret, and 6 that are a
check sum over all before them (CRC-32): scanners of secrets and we can tell it from other text without asking anybody.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

from facefleet.access.reasons import Reason
from facefleet.errors.access import CredentialInvalid
from facefleet.errors.input import ConfigInvalid

LIVE, TEST = "ff_live_", "ff_test_"
ANY = "ff_"  # what every key begins with, and no token
SHORTEST_SECRET = 32  # characters of a secret of ours that keys are hashed with

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX_LENGTH, _SECRET_LENGTH, _SUM_LENGTH = 12, 32, 6  # 71 bits, 190 bits, 32 bits
_CHARACTER = "[0-9A-Za-z]"
_KEY = re.compile(
    rf"(?P<head>ff_(?:live|test)_{_CHARACTER}{{{_PREFIX_LENGTH}}}){_CHARACTER}{{{_SECRET_LENGTH + _SUM_LENGTH}}}"
)


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as its holder has it.

    Attributes:
        text: All of it; never stored, never shown again.
        prefix: What it is found by and may be shown with: up to its secret part.
    """

    text: str = field(repr=False)
    prefix: str

    @property
    def test(self) -> bool:
        """Whether it is a test key."""
        return self.prefix.startswith(TEST)


def new_key(*, test: bool) -> KeyText:
    """A fresh random key."""
    prefix = (TEST if test else LIVE) + _random(_PREFIX_LENGTH)
    body = prefix + _random(_SECRET_LENGTH)
    return KeyText(body + _check_sum(body), prefix)


def parse(text: str) -> KeyText:
    """A key that somebody sent.

    Raises:
        CredentialInvalid: It has another form or a wrong check sum, so nobody was ever given it.
    """
    match = _KEY.fullmatch(text)
    if match is None or _check_sum(text[:-_SUM_LENGTH]) != text[-_SUM_LENGTH:]:
        raise CredentialInvalid(
            "The API key was not copied as it is: its check sum is wrong.", reason=Reason.KEY_MISTYPED.value
        )
    return KeyText(text, match["head"])


@dataclass(frozen=True, slots=True)
class KeyHasher:
    """Hashes keys with secrets of ours, so that whoever reads the records alone can neither use nor try out a key.

    A key has 190 random bits, so it needs no slow hash; HMAC-SHA256 (RFC 2104) is as good and costs a microsecond.

    Attributes:
        secrets: At least one; the first hashes new keys, all of them are tried for a key that somebody sent.
    """

    secrets: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> KeyHasher:
        """From secrets separated by blanks.

        Raises:
            ConfigInvalid: There is none, or one is too short.
        """
        found = tuple(secret.encode() for secret in text.split())
        if not found or min(map(len, found)) < SHORTEST_SECRET:
            raise ConfigInvalid(
                f"auth.key_secrets holds secrets of {SHORTEST_SECRET} characters or more, separated by blanks; "
                f"`openssl rand -base64 32` makes one.",
                setting="auth.key_secrets",
            )
        return cls(found)

    def digest(self, key: KeyText) -> str:
        """What is stored of a new key, in hexadecimal."""
        return _digest(self.secrets[0], key)

    def matches(self, key: KeyText, digest: str) -> bool:
        """Whether this is the key of a stored digest; takes as long either way."""
        matches = [hmac.compare_digest(_digest(secret, key), digest) for secret in self.secrets]
        return any(matches)


def _digest(secret: bytes, key: KeyText) -> str:
    return hmac.digest(secret, key.text.encode(), hashlib.sha256).hex()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _check_sum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_SUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
