"""Defines what goes into the engine and what comes out; places are in px of the upright image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facefleet.media.sniff import ImageType

LANDMARKS = 468  # points of the face mesh

Pixels = npt.NDArray[np.uint8]
"""``(H, W, 3)`` BGR, or ``(H, W)`` for a mask."""

Floats = npt.NDArray[np.float32]
"""Coordinates, weights and colours under way."""


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
class Portrait:
    """A face in its photo.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 BGR.
        face: The face.
        profile: ICC profile that the pixels follow; none for sRGB.
    """

    pixels: Pixels
    face: Face
    profile: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Every face of one photo.

    Attributes:
        width: px of the upright image.
        height: px of the upright image.
        faces: The largest first; of those that differ by less than 6 % in area, the left one.
        smallest: Short side of the smallest face that was looked for, px.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    smallest: float = 0.0


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
        timings_ms: Step to milliseconds; near 0 for what was prepared before.
        models: Name to version of the models that took part.
        cache_hits: Role of a photo to whether it was prepared before; empty where nothing is kept.
        strengths: Of the blend, for each of ``faces``; empty where none was blended.
        skipped: The other faces, where all were asked for.
    """

    picture: Picture
    faces: tuple[Face, ...]
    timings_ms: Mapping[str, float]
    models: Mapping[str, str]
    cache_hits: Mapping[str, bool]
    strengths: tuple[float, ...] = ()
    skipped: tuple[Skipped, ...] = ()
