"""``--assign`` of ``fuse`` and ``submit``: which face of which source goes where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from facefleet.assignments import FaceAssignment
from facefleet.errors import OptionInvalid

_ASSIGNMENT = re.compile(r"(?P<source>\d{1,4})(?::(?P<face>\d{1,4}))?=(?P<target>\d{1,4})", re.ASCII)


def parse(texts: Sequence[str]) -> tuple[FaceAssignment, ...]:
    """``SOURCE[:FACE]=TARGETFACE``, numbers from 0.

    Raises:
        OptionInvalid: One is something else.
    """
    return tuple(map(_parse, texts))


def newer_options(assignments: Sequence[FaceAssignment], *, tiles: bool) -> dict[str, Any]:
    """As the API takes them, and only those that are used: a server of the release before refuses the others."""
    options: dict[str, Any] = {"faces": [asdict(one) for one in assignments]} if assignments else {}
    return options | ({"tiles": True} if tiles else {})


def _parse(text: str) -> FaceAssignment:
    found = _ASSIGNMENT.fullmatch(text)
    if found is None:
        raise OptionInvalid(
            f"--assign is {text!r}; give SOURCE=TARGETFACE or SOURCE:FACE=TARGETFACE, as 1:0=2.", option="assign"
        )
    face = found["face"]
    return FaceAssignment(int(found["target"]), int(found["source"]), None if face is None else int(face))
