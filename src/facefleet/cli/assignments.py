"""Parses the values of ``--assign`` into face assignments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from facefleet.assignments import FaceAssignment
from facefleet.errors.input import OptionInvalid

_ASSIGNMENT = re.compile(r"(?P<source>\d{1,4})(?::(?P<face>\d{1,4}))?=(?P<target>\d{1,4})", re.ASCII)


def parse_assignments(texts: Sequence[str]) -> tuple[FaceAssignment, ...]:
    """Parse texts of the form ``SOURCE[:FACE]=TARGETFACE``, numbers from 0.

    Raises:
        OptionInvalid: One has another form.
    """
    return tuple(map(_parse, texts))


def _parse(text: str) -> FaceAssignment:
    match = _ASSIGNMENT.fullmatch(text)
    if match is None:
        raise OptionInvalid(
            f"--assign is {text!r}; give SOURCE=TARGETFACE or SOURCE:FACE=TARGETFACE, as 1:0=2.", option="assign"
        )
    face = match["face"]
    return FaceAssignment(int(match["target"]), int(match["source"]), None if face is None else int(face))
