"""Which face of which source goes where, as a command line says it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from facefleet.assignments import FaceAssignment
from facefleet.errors.input import OptionInvalid

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
