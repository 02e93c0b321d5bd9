"""Checks a caller's arguments other than photos before anything is sent, so that errors name the argument."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from typing import TypeVar

import httpx

from facefleet.errors.input import OptionInvalid

_LONGEST_KEY = 255  # the server's own limit
_LONGEST_SECONDS = 1e9  # more than a system call takes

T = TypeVar("T")


def server_url(url: str) -> str:
    """The address of a server, without the slash at its end.

    Raises:
        OptionInvalid: It is none; what may be a password in it is not told.
    """
    try:
        parsed = httpx.URL(url)
        valid = parsed.scheme in ("http", "https") and bool(parsed.host) and (parsed.port or 1) < 1 << 16
        valid = valid and not (parsed.query or parsed.fragment)
    except (httpx.InvalidURL, TypeError):
        valid = False
    if not valid:
        shown = _shown(str(url).rpartition("@")[2])
        raise OptionInvalid(f"The address of a server is like http://127.0.0.1:8080; {shown} is not.", option="url")
    return url.rstrip("/")


def authorization(api_key: str | None) -> str | None:
    """The value of the header, or none without a key.

    Raises:
        OptionInvalid: No header can have it; it is not told.
    """
    if not api_key:
        return None
    if not _is_visible(api_key):
        raise OptionInvalid(
            "The API key must be visible ASCII characters, without a space or line end.", option="api_key"
        )
    return f"Bearer {api_key}"


def idempotency_key(key: str) -> str:
    """A key as a server takes it.

    Raises:
        OptionInvalid: It does not.
    """
    if not (_is_visible(key) and 0 < len(key) <= _LONGEST_KEY):
        raise OptionInvalid(
            f"idempotency_key must be 1 to {_LONGEST_KEY} visible ASCII characters; {_shown(key)} is not.",
            option="idempotency_key",
        )
    return key


def seconds(name: str, given: object, *, endless: bool = False) -> float:
    """A time to wait; 0 is none.

    Args:
        name: Of the argument.
        given: s.
        endless: Whether it may have no end.

    Raises:
        OptionInvalid: It is no number, below 0, or too long.
    """
    longest = math.inf if endless else _LONGEST_SECONDS
    if not isinstance(given, int | float) or not 0 <= given <= longest:  # nan is neither
        raise OptionInvalid(f"{name} must be a number of seconds, 0 or more; {_shown(given)} is not.", option=name)
    return given


def size(name: str, given: object) -> int | None:
    """A number of bytes; None stays.

    Raises:
        OptionInvalid: It is no whole number, or below 0.
    """
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise OptionInvalid(f"{name} must be a number of bytes, 0 or more; {_shown(given)} is not.", option=name)
    return given


def text(name: str, given: str) -> str:
    """A text that can be sent.

    Raises:
        OptionInvalid: It is none, or has half a character.
    """
    try:
        given.encode()
    except (AttributeError, UnicodeEncodeError):
        raise OptionInvalid(f"{name} must be a text; {_shown(given)} is not.", option=name) from None
    return given


def day(name: str, given: date) -> str:
    """A day as it is sent.

    Raises:
        OptionInvalid: It is none.
    """
    if not isinstance(given, date):
        raise OptionInvalid(f"{name} must be a date; {_shown(given)} is not.", option=name)
    return given.isoformat()


def several(name: str, given: Iterable[T]) -> list[T]:
    """The entries of a list.

    Raises:
        OptionInvalid: It is none.
    """
    try:
        return list(given)
    except TypeError:
        raise OptionInvalid(f"{name} must be a list; {_shown(given)} is not.", option=name) from None


def _is_visible(given: object) -> bool:
    return isinstance(given, str) and given.isascii() and given.isprintable() and " " not in given


def _shown(given: object) -> str:
    return ascii(given)[:80]
