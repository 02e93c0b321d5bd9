"""The page about the audit log tells every action that can be in it."""

from __future__ import annotations

import re
from pathlib import Path

from facefleet.tasks.audit import Action

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "audit.md"


def test_every_action_is_told_and_no_other() -> None:
    table = PAGE.read_text().partition("|---|---|")[2].partition("\n\n")[0]
    told = re.findall(r"`([a-z]+(?:\.[a-z]+)?)`", table)
    assert sorted(set(told) - {"facefleet"}) == sorted(Action)
