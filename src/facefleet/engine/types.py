"""The engine's words: what goes in and what comes out, in pixels of the upright image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from facefleet.assignments import FaceAssignment, check_assignments
from facefleet.errors.input import OptionInvalid
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
        index: Place in the list of faces.
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
        faces: The largest first; of those that differ by less than 6 % in area, the left one.
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
        faces: Instead of the two above: which face of which source replaces which.
        tiles: Find small faces beside large ones, too; it takes several times as long, and faces are numbered anew.
        age: How much younger (to -1) or older (to 1) the fused face is made; experimental.
        min_strength: The weakest blend to take where the result at ``strength`` does not look right, at most
            ``strength``; no weaker one where not given.

    Raises:
        OptionInvalid: A value is out of its range, not a number, or of another type; or the choices contradict.
    """

    strength: float = 1.0
    shape: float = 0.5
    source_face: int | None = None
    target_face: TargetFace = None
    faces: tuple[FaceAssignment, ...] = ()
    tiles: bool = False
    age: float = 0.0
    min_strength: float | None = None

    def __post_init__(self) -> None:
        _check_share("strength", self.strength)
        _check_share("shape", self.shape)
        _check_share("age", self.age, minimum=-1.0)
        if self.min_strength is not None:
            _check_share("min_strength", self.min_strength, maximum=self.strength)
        _check_index("source_face", self.source_face)
        if self.target_face != "all":
            _check_index("target_face", self.target_face)
        check_assignments(self.faces, other_choice=self.source_face is not None or self.target_face is not None)

    def wanted(self, source: int) -> tuple[int | None, ...]:
        """Indices of the faces that are taken from a source, each once; None is the largest."""
        if not self.faces:
            return (self.source_face,)
        return tuple(dict.fromkeys(one.source_face for one in self.faces if one.source == source))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A face that was left as it is where all were asked for.

    Attributes:
        index: Of the face.
        code: Of the error that it alone would have been.
    """

    index: int
    code: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded photo that carries no marks yet.

    Attributes:
        image: File.
        media_type: Type of the file.
    """

    image: bytes = field(repr=False)
    media_type: ImageType


@dataclass(frozen=True, slots=True)
class Fusion:
    """A fused photo, or one whose face was aged.

    Attributes:
        picture: The result, in the target's format.
        faces: The target's faces that were fused or aged, as they were before.
        timings_ms: Step to milliseconds; near 0 for what had been made ready before.
        models: Name to version of the models that took part.
        known: Role of a photo to whether it had been made ready before; empty where nothing is kept.
        strengths: Of the blend, for each of ``faces``; empty where none was blended.
        skipped: The other faces, where all were asked for.
    """

    picture: Picture
    faces: tuple[Face, ...]
    timings_ms: Mapping[str, float]
    models: Mapping[str, str]
    known: Mapping[str, bool]
    strengths: tuple[float, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def _check_share(option: str, value: object, minimum: float = 0.0, maximum: float = 1.0) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value) and minimum <= value <= maximum:  # type: ignore[arg-type,operator]
        return
    raise OptionInvalid(
        f"{option} is {value!r}; give a number from {minimum:g} to {maximum:g}.",
        option=option,
        value=_json(value),
        minimum=minimum,
        maximum=maximum,
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
