"""Options of several commands: which face of which source goes where, and whether to look for small faces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from facefleet.assignments import FaceAssignment
from facefleet.errors import OptionInvalid

MoreSources = Annotated[
    list[Path] | None, typer.Option("--source", metavar="MORE", help="Sources 1, 2, …; SOURCE is 0. Repeat it.")
]
Assign = Annotated[
    list[str] | None,
    typer.Option(metavar="SOURCE[:FACE]=TARGETFACE", help="Which face replaces which, as 1:0=2. Repeat it."),
]
Tiles = Annotated[bool, typer.Option("--tiles", help="Find small faces beside large ones, too; slower.")]

_ASSIGNMENT = re.compile(r"(?P<source>\d{1,4})(?::(?P<face>\d{1,4}))?=(?P<target>\d{1,4})", re.ASCII)


def parse(texts: Sequence[str]) -> tuple[FaceAssignment, ...]:
    """``SOURCE[:FACE]=TARGETFACE``, numbers from 0.

    Raises:
        OptionInvalid: One is something else.
    """
    return tuple(map(_parse, texts))


def _parse(text: str) -> FaceAssignment:
    found = _ASSIGNMENT.fullmatch(text)
    if found is None:
        raise OptionInvalid(
            f"--assign is {text!r}; give SOURCE=TARGETFACE or SOURCE:FACE=TARGETFACE, as 1:0=2.", option="assign"
        )
    face = found["face"]
    return FaceAssignment(int(found["target"]), int(found["source"]), None if face is None else int(face))
