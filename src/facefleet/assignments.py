"""Defines face assignments, which say the face of which source replaces which face of the target, and checks them.

Sources are numbered from 0 in the order they are given, faces as `facefleet faces` numbers them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facefleet.errors.input import OptionInvalid

MAX_SOURCES = 6
MAX_ASSIGNMENTS = 6
SOURCE_ROLES = ("source", *(f"source-{number}" for number in range(1, MAX_SOURCES)))
"""Roles of the source photos in a record, in their order; one source alone has the first."""


@dataclass(frozen=True, slots=True)
class FaceAssignment:
    """One face to take and the face it replaces.

    Attributes:
        target_face: Index of the face to replace.
        source: Number of the source photo.
        source_face: Index of the face to take; the largest where not given.

    Raises:
        OptionInvalid: One is no whole number from 0.
    """

    target_face: int
    source: int = 0
    source_face: int | None = None

    def __post_init__(self) -> None:
        _check_number("target_face", self.target_face)
        _check_number("source", self.source)
        if self.source_face is not None:
            _check_number("source_face", self.source_face)

    def to_json(self) -> dict[str, int | None]:
        """As the API and the records write it."""
        return {"source": self.source, "source_face": self.source_face, "target_face": self.target_face}


def check_assignments(assignments: Sequence[FaceAssignment], *, other_choice: bool) -> None:
    """Check what can be checked without the photos.

    Args:
        assignments: All of one fusion; empty where ``source_face`` and ``target_face`` choose.
        other_choice: Whether ``source_face`` or ``target_face`` is given as well.

    Raises:
        OptionInvalid: There are too many, two replace the same face, or both ways of choosing are used.
    """
    if assignments and other_choice:
        raise _invalid("faces cannot be combined with source_face or target_face; assign every face in faces")
    if len(assignments) > MAX_ASSIGNMENTS:
        raise _invalid(
            f"faces has {len(assignments)} assignments; at most {MAX_ASSIGNMENTS} are possible",
            value=len(assignments), maximum=MAX_ASSIGNMENTS,
        )  # fmt: skip
    replaced = [assignment.target_face for assignment in assignments]
    for face in replaced:
        if replaced.count(face) > 1:
            raise _invalid(f"faces replaces face {face} of the target twice; name each face once", target_face=face)


def check_sources(assignments: Sequence[FaceAssignment], sources: int) -> None:
    """Check that every assignment has its source photo, and that every source photo is used.

    Args:
        assignments: All of one fusion; empty where ``source_face`` and ``target_face`` choose.
        sources: How many source photos there are.

    Raises:
        OptionInvalid: There are too many photos, an assignment names one that is not there, or one is not named.
    """
    if sources > MAX_SOURCES:
        raise _invalid(f"There are {sources} sources; at most {MAX_SOURCES} are possible", maximum=MAX_SOURCES)
    used = {assignment.source for assignment in assignments} or {0}
    for number in sorted(used):
        if number >= sources:
            raise _invalid(
                f"faces names source {number}, but there are only {sources}, counted from 0",
                source=number, sources=sources,
            )  # fmt: skip
    for number in range(sources):
        if number not in used:
            raise _invalid(f"Source {number} is used by no assignment; leave it out or name it in faces", source=number)


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _invalid(f"{name} of an assignment is {value!r}; give a whole number from 0", minimum=0)


def _invalid(message: str, **detail: object) -> OptionInvalid:
    return OptionInvalid(f"{message}.", option="faces", **detail)
