"""The fenced blocks of a page of the documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language and its text, that of a console without its prompts."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """All of a page, in their order."""
    found = _BLOCK.findall((DOCS / page).read_text())
    return [Block(language, _typed(text) if language == "console" else text) for language, text in found]


def _typed(text: str) -> str:
    """What a person types: the lines after a prompt, and those that they go on in."""
    typed: list[str] = []
    goes_on = False
    for line in text.splitlines():
        if goes_on or line.startswith("$ "):
            typed.append(line.removeprefix("$ "))
            goes_on = line.endswith("\\")
    return "\n".join(typed)
