"""Defines the inspector, which is shown photos before they are used and results before they are encoded.

What it refuses is not used and not given out. The built-in one is shown everything and refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from facefleet.engine.types import Pixels
from facefleet.errors.input import ContentRejected


class Inspected(StrEnum):
    """What an inspector is shown."""

    SOURCE = "source"
    TARGET = "target"
    RESULT = "result"


class Verdict(StrEnum):
    """What an inspector says of a photo.

    Attributes:
        ALLOWED: It may be used.
        REVIEW: A person should look at it; as long as nobody does, it is refused.
        BLOCKED: It is refused.
    """

    ALLOWED = "allowed"
    REVIEW = "review"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A photo as an inspector is shown it.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 BGR, upright, not to be written to.
        profile: ICC profile that the pixels follow; none for sRGB.
        digest: SHA-256 of the file; empty where there is no file yet.
    """

    pixels: Pixels
    profile: bytes | None = None
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an inspector found.

    Attributes:
        role: What the photo is in the fusion.
        check: What was looked for, such as ``nsfw``.
        model: Name of the model that was asked.
        version: Of that model.
        score: 0 to 1.
        verdict: By the policy.
    """

    role: Inspected
    check: str
    model: str
    version: str
    score: float
    verdict: Verdict


Tell = Callable[[Inspection], object]
"""Called with every inspection of a fusion in their order, also with one that was kept and one that refuses.

It may refuse what the inspector lets pass, by the same error; what was kept of the photo stays for others.
"""


def tell_nobody(_: Inspection) -> None:
    """A ``Tell`` that does nothing."""


class Inspector(Protocol):
    """Judges decoded pixels. Safe to call from several threads.

    A source or target is shown once; what is kept of it for later fusions has passed and is not shown again. A refused
    photo is never kept.
    """

    @property
    def steps(self) -> tuple[str, ...]:
        """Name of the step in timings and progress, or nothing where inspecting takes no time."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Name to version of the models that it asks."""

    def inspect(self, shown: Shown, role: Inspected) -> Inspection | None:
        """Look at one photo.

        Args:
            shown: The photo, before its colours are turned into sRGB.
            role: What it is in the fusion.

        Returns:
            What was found; none where a photo of this role is not looked at.

        Raises:
            FacefleetError: It could not be looked at, so that it must not be used.
        """

    def warm(self) -> None:
        """Do once what the first inspection would else wait for.

        Raises:
            ModelLoadFailed: The runtime cannot run the weights.
        """


class NoInspection:
    """Refuses nothing."""

    steps = ()
    versions: Mapping[str, str] = {}

    def inspect(self, shown: Shown, role: Inspected) -> None:
        """See ``Inspector``."""

    def warm(self) -> None:
        """Nothing to do."""


def admit(inspector: Inspector, shown: Shown, role: Inspected, tell: Tell) -> Inspection | None:
    """Have a photo inspected; returns what was found, for whoever keeps the photo.

    Args:
        inspector: Asked.
        shown: The photo.
        role: What it is in the fusion.
        tell: Called where the photo is refused: there is nobody else who could pass that on.

    Raises:
        ContentRejected: The photo is refused.
        FacefleetError: It could not be looked at.
    """
    inspection = inspector.inspect(shown, role)
    if inspection is not None and inspection.verdict is not Verdict.ALLOWED:
        tell(inspection)
        raise rejection(inspection)
    return inspection


def rejection(inspection: Inspection) -> ContentRejected:
    """The error of a photo or result that is refused."""
    what = "result" if inspection.role is Inspected.RESULT else "photo"
    return ContentRejected(
        f"The {what} may show what is not allowed here ({inspection.check}).", check=inspection.check
    )
