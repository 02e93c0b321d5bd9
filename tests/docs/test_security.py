"""The page about security names tests that are there, and every requirement of its chapters once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "concepts" / "security.md").read_text("utf-8")
SECTIONS = {
    "4.1": 5, "4.2": 5, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 6, "5.3": 3, "5.4": 3,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2, "8.1": 4, "8.2": 4, "8.3": 3,
    "8.4": 2, "9.1": 3, "9.2": 4, "13.1": 4, "13.2": 6, "13.3": 4, "13.4": 7, "14.1": 2, "14.2": 8, "14.3": 3,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 4,
}  # fmt: skip
"""Section of the standard → how many requirements it has."""


def requirements() -> Iterator[str]:
    """Those of the rows; a row may have several, and a span of them."""
    for cell in re.findall(r"^\| (\d+\.[^|]*)\|", PAGE, re.MULTILINE):
        first_to_last = re.search(r"(\d+\.\d+)\.(\d+) – \1\.(\d+)", cell)
        if first_to_last:
            section, first, last = first_to_last.groups()
            yield from (f"{section}.{number}" for number in range(int(first), int(last) + 1))
        else:
            yield from re.findall(r"\d+\.\d+\.\d+", cell)


def test_every_requirement_of_the_chapters_has_its_row() -> None:
    wanted = [f"{section}.{number + 1}" for section, count in SECTIONS.items() for number in range(count)]
    assert sorted(requirements()) == sorted(wanted)


def test_what_shows_it_is_there() -> None:
    named = set(re.findall(r"`([a-z_/]+(?:/|test_\w+\.py))`", PAGE)) - {"tests/"}
    assert len(named) > 40
    assert sorted(name for name in named if not (TESTS / name).exists()) == []
