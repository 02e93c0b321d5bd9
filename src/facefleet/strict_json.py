"""Reads JSON that all readers take for the same: no name twice in an object, no NaN, no half of a character in a name.

Python's own reader takes all three. What a token says and what a body asks for must mean the same to whoever else
reads them (RFC 8259, section 4; RFC 8725, section 2.4).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn


class JsonRefused(ValueError):
    """Why a text is not taken, as the end of a sentence that begins with what it is; callers make their own errors.

    Attributes:
        name: Of the member that is there twice; empty where that is not why.
    """

    def __init__(self, why: str, name: str = "") -> None:
        super().__init__(why)
        self.name = name


def parse(data: bytes | bytearray) -> Any:
    """The value in these bytes, which are UTF-8.

    Raises:
        JsonRefused: It is not strict JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise JsonRefused("is not UTF-8 text") from None
    except RecursionError:
        raise JsonRefused("is nested too deeply") from None
    except JsonRefused:
        raise
    except json.JSONDecodeError as error:
        raise JsonRefused(f"is not JSON at character {error.pos}") from None
    except ValueError:  # a number with more digits than Python reads
        raise JsonRefused("is not JSON") from None


def is_whole(text: str) -> bool:
    """Whether a text has no half of a surrogate pair, which JSON can write and nothing behind it can keep."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are there once: two readers could take different ones."""
    found = dict(pairs)
    if not all(is_whole(name) for name in found):
        raise JsonRefused("has a name with half of a character")
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonRefused(f"has the name {ascii(twice)[:64]} twice in one object", twice[:64])
    return found


def _refuse(constant: str) -> NoReturn:
    raise JsonRefused(f"has {constant}, which is no JSON number")
