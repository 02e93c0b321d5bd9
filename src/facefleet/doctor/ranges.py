"""Compares versions with ranges such as ``>=3.11,<3.12``, part by part as numbers."""

from __future__ import annotations

import operator
import re
from itertools import zip_longest
from typing import Annotated

from pydantic import AfterValidator

_COMPARISONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}
_BOUND = re.compile(r"\s*(>=|<=|==|>|<)\s*(\d+(?:\.\d+)*)\s*", re.ASCII)
_NUMBERS = re.compile(r"\d+", re.ASCII)


def contains(bounds: str, version: str) -> bool:
    """Whether a version lies in a range; a part that one of the two lacks counts as 0.

    Args:
        bounds: One or more comparisons, separated by commas.
        version: Its leading numbers count: ``3.12.1rc1`` is 3.12.1.
    """
    return all(_holds(bound, version) for bound in bounds.split(","))


def _holds(bound: str, version: str) -> bool:
    match = _BOUND.fullmatch(bound)
    if match is None:
        raise ValueError(f"{bound.strip()!r} is not a comparison such as >=3.11")
    pairs = zip_longest(_numbers(version), _numbers(match[2]), fillvalue=0)
    found, wanted = zip(*pairs, strict=True)
    return bool(_COMPARISONS[match[1]](found, wanted))


def _numbers(version: str) -> list[int]:
    leading = re.match(r"[\d.]*", version, re.ASCII)
    return [int(number) for number in _NUMBERS.findall(leading[0] if leading else "")] or [0]


def _checked(bounds: str) -> str:
    contains(bounds, "0")
    return bounds


VersionRange = Annotated[str, AfterValidator(_checked)]
