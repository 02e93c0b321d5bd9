"""The engine's words: what goes in and what comes out, in pixels of the upright image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from facefleet.errors import OptionInvalid
from facefleet.media.sniff import ImageType

LANDMARKS = 468  # points of the face mesh

Pixels = npt.NDArray[np.uint8]
"""``(H, W, 3)`` BGR, or ``(H, W)`` for a mask."""

Floats = npt.NDArray[np.float32]
"""Coordinates, weights and colours under way."""

TargetFace = int | Literal["all"] | None


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Weights on disk.

    Attributes:
        name: As in the manifest.
        version: As in the manifest; reported with every fusion.
        files: File name to path.
    """

    name: str
    version: str
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle, px of the upright image; it may reach over the edge."""

    x: float
    y: float
    width: float
    height: float

    @property
    def short_side(self) -> float:
        """px."""
        return min(self.width, self.height)

    @property
    def area(self) -> float:
        """px²."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head points, degrees; all zero when it looks into the camera.

    Attributes:
        yaw: Over 0 when the face is turned to the right side of the image.
        pitch: Over 0 when it looks up.
        roll: Over 0 when the head is tilted clockwise in the image.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of one photo.

    Attributes:
        index: Place in the list of faces, the largest being 0.
        box: Around the landmarks.
        score: How sure the landmark model is that this is a face, 0 to 1.
        pose: Of the head.
        landmarks: ``(468, 3)`` float32: x and y in px, z in the same scale, smaller being nearer to the camera.
    """

    index: int
    box: Box
    score: float
    pose: Pose
    landmarks: Floats

    @property
    def landmarks5(self) -> Floats:
        """``(5, 2)`` float32 px: eye centre, eye centre, nose tip, mouth corner, mouth corner.

        Each pair opens with the subject's right, which is on the left of the image.
        """
        xy = self.landmarks[:, :2]
        right, left = xy[[33, 133, 159, 145]].mean(axis=0), xy[[263, 362, 386, 374]].mean(axis=0)
        return np.stack([right, left, xy[1], xy[61], xy[291]]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Every face of one photo.

    Attributes:
        width: px of the upright image.
        height: px of the upright image.
        faces: The largest first; of two equally large ones the upper, then the left one.
    """

    width: int
    height: int
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class FuseOptions:
    """What a caller may choose.

    Attributes:
        strength: Share of the fused face in the blend, 0 (target untouched) to 1.
        shape: Share of the source's face shape, 0 (the target's outline of eyes, nose and mouth) to 1.
        source_face: Index of the face to take; the largest where not given.
        target_face: Index of the face to replace, or ``"all"``; the largest where not given.
        min_strength: The weakest blend to take where the result at ``strength`` does not look right; none where not
            given.

    Raises:
        OptionInvalid: A value is out of its range, not a number, or of another type.
    """

    strength: float = 1.0
    shape: float = 0.5
    source_face: int | None = None
    target_face: TargetFace = None
    min_strength: float | None = None

    def __post_init__(self) -> None:
        _check_share("strength", self.strength)
        _check_share("shape", self.shape)
        if self.min_strength is not None:
            _check_share("min_strength", self.min_strength)
        _check_index("source_face", self.source_face)
        if self.target_face != "all":
            _check_index("target_face", self.target_face)


@dataclass(frozen=True, slots=True)
class Fusion:
    """A fused photo.

    Attributes:
        image: The file, in the target's format.
        media_type: Of ``image``.
        faces: The target's faces that were fused, as they were before.
        timings_ms: Step to milliseconds.
        models: Name to version of the models that took part.
        strengths: Of the blend, for each of ``faces``.
    """

    image: bytes
    media_type: ImageType
    faces: tuple[Face, ...]
    timings_ms: dict[str, float]
    models: dict[str, str]
    strengths: tuple[float, ...] = ()


def _check_share(option: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value) and 0.0 <= value <= 1.0:  # type: ignore[arg-type,operator]
        return
    raise OptionInvalid(
        f"{option} is {value!r}; give a number from 0 to 1.",
        option=option,
        value=_json(value),
        minimum=0.0,
        maximum=1.0,
    )


def _check_index(option: str, value: object) -> None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return
    words = ["all"] if option == "target_face" else []
    raise OptionInvalid(
        f"{option} is {value!r}; give a whole number from 0{' or all' if words else ''}.",
        option=option, value=_json(value), minimum=0, allowed=words,
    )  # fmt: skip


def _json(value: object) -> object:
    """The value as JSON can carry it: NaN and infinities have no JSON form."""
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return repr(value)
