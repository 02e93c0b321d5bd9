"""The pages on how the code is laid out name files that are there, and the floors that `make check` holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "concepts" / "architecture.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`((?:[\w-]+/)+[\w-]+\.(?:py|md|js|toml))`", page.read_text()))
    assert len(named) > 15, "the search finds what it looks for"
    assert {
        name for name in named if not any((root / name).is_file() for root in (ROOT, ROOT / "src/facefleet"))
    } == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_tells_the_floors_that_are_checked(page: Path) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = [set(layer.split(" | ")) for layer in contracts[0]["layers"]]
    told = re.search(r"^    cli > .+?\n\n", page.read_text(), re.MULTILINE | re.DOTALL)
    assert told is not None
    assert [set(re.findall(r"\w+", floor)) for floor in told[0].split(">")] == checked
