"""Defines how the face of one photo is put into another: what a swapper is given, makes and hands on.

    source photo, face ─► prepare_source ─► Source ─┐
    target photo, face ─► prepare_target ─► Target ─┴► swap(options) ─► Layer ─► blend and check

What is prepared depends on one photo alone and holds no reference to it, so it may be kept and serve any number of
fusions, from any thread. ``swap`` does the rest and changes neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from facefleet.engine.steps.blend import Layer
from facefleet.engine.steps.region import Region
from facefleet.engine.types import Face, Portrait
from facefleet.options import FuseOptions

Lap = Callable[[str], None]
"""Called with the name of a step when it has ended."""


class _PreparedFace(Protocol):
    @property
    def face(self) -> Face:
        """Where it is in its photo."""

    @property
    def region(self) -> Region:
        """The part of the photo that was read."""

    @property
    def held_bytes(self) -> int:
        """Memory that is freed when it goes."""


class Source(_PreparedFace, Protocol):
    """A face made ready to be put into photos."""


class Target(_PreparedFace, Protocol):
    """A face made ready to be replaced."""


SourceType = TypeVar("SourceType")
TargetType = TypeVar("TargetType")


class Swapper(Protocol[SourceType, TargetType]):
    """Puts the identity of one face into another. Safe to call from several threads.

    The two types are its own: nobody else looks into what it prepared.
    """

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps of ``swap``, in their order."""

    def prepare_source(self, portrait: Portrait) -> SourceType:
        """All that depends on the source photo alone, such as the identity or the texture of its face."""

    def prepare_target(self, portrait: Portrait) -> TargetType:
        """All that depends on the target photo alone, what stays in front of its face included."""

    def swap(self, source: SourceType, target: TargetType, options: FuseOptions, lap: Lap) -> Layer:
        """The source's face as a layer over the target.

        Args:
            source: Whose face.
            target: Where to.
            options: What the caller chose.
            lap: Called at the end of each of ``steps``.
        """

    def warm(self) -> None:
        """Do once what the first fusion would else wait for.

        Raises:
            ModelLoadFailed: The runtime cannot run the weights.
        """


AnySwapper = Swapper[Any, Any]
"""A swapper with whatever types of its own."""
