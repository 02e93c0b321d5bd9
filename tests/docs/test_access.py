"""The table of roles in the guide is the one that the code goes by."""

from __future__ import annotations

import re
from pathlib import Path

from facefleet.access.permissions import Permission
from facefleet.access.roles import ALLOWED, Role

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "access.md").read_text("utf-8")
ROLES = GUIDE.split("\n## Roles\n")[1].split("\n## ")[0]


def test_the_guide_says_what_each_role_may() -> None:
    head, *rows = re.findall(r"^\| (?:permission|`[a-z.]+`).*$", ROLES, re.MULTILINE)
    roles = [Role(cell.strip()) for cell in head.split("|")[2:-1]]
    told = {}
    for row in rows:
        name, *marks = (cell.strip() for cell in row.split("|")[1:-1])
        told[Permission(name.split("`")[1])] = {role for role, mark in zip(roles, marks, strict=True) if mark == "x"}
    assert told == ALLOWED
