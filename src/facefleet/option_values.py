"""Checks single values of options: numbers in a range, indices, flags. `options.py` builds its tables from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from facefleet.errors.input import OptionInvalid


class Values(Protocol):
    """Which values an option can have."""

    def check(self, name: str, value: Any, options: Any) -> None:
        """Raise `OptionInvalid` where the option cannot have this value beside the others."""


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number in a range, both ends included.

    Attributes:
        minimum: The least.
        maximum: The greatest.
        at_most: Name of another option, which it must not exceed either.
    """

    minimum: float
    maximum: float
    at_most: str | None = None

    def check(self, name: str, value: Any, options: Any) -> None:
        """Refuse anything else, with the range in the detail."""
        maximum = getattr(options, self.at_most) if self.at_most else self.maximum
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and math.isfinite(value) and self.minimum <= value <= maximum:
            return
        raise OptionInvalid(
            f"{name} is {value!r}; give a number from {self.minimum:g} to {maximum:g}.",
            option=name, value=_jsonable(value), minimum=self.minimum, maximum=maximum,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Index:
    """A whole number from 0, or one of some words.

    Attributes:
        words: The words; at most one.
    """

    words: tuple[Literal["all"], ...] = ()

    def check(self, name: str, value: Any, options: Any) -> None:  # noqa: ARG002 - as of the others
        """Refuse anything else."""
        if value in self.words or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return
        either = "".join(f" or {word}" for word in self.words)
        raise OptionInvalid(
            f"{name} is {value!r}; give a whole number from 0{either}.",
            option=name, value=_jsonable(value), minimum=0, allowed=list(self.words),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flag:
    """True or False."""

    def check(self, name: str, value: Any, options: Any) -> None:  # noqa: ARG002 - as of the others
        """Refuse anything else."""
        if not isinstance(value, bool):
            raise OptionInvalid(f"{name} is {value!r}; give true or false.", option=name, value=_jsonable(value))


def _jsonable(value: object) -> object:
    """The value as JSON can carry it: NaN and infinities have no JSON form."""
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return repr(value)
