"""Defines the inspector, which is shown photos before they are used and results before they are encoded.

It may refuse them. The built-in one is shown everything and refuses nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from facefleet.engine.types import Pixels


class Inspected(StrEnum):
    """What an inspector is shown."""

    SOURCE = "source"
    TARGET = "target"
    RESULT = "result"


class Inspector(Protocol):
    """Judges decoded pixels. Safe to call from several threads.

    A source or target is shown once; what is kept of it for later fusions has passed and is not shown again. A refused
    photo is never kept.
    """

    @property
    def steps(self) -> tuple[str, ...]:
        """Name of the step in timings and progress, or nothing where inspecting takes no time."""

    def inspect(self, pixels: Pixels, role: Inspected) -> None:
        """Look at one photo.

        Args:
            pixels: ``(H, W, 3)`` uint8 BGR, upright, not to be written to; before its colours are turned into sRGB.
            role: What the photo is in the fusion.

        Raises:
            FacefleetError: It must not be used, or not be given out.
        """

    def warm(self) -> None:
        """Do once what the first inspection would else wait for.

        Raises:
            ModelLoadFailed: The runtime cannot run the weights.
        """


class NoInspection:
    """Refuses nothing."""

    steps = ()

    def inspect(self, pixels: Pixels, role: Inspected) -> None:
        """See ``Inspector``."""

    def warm(self) -> None:
        """Nothing to do."""
