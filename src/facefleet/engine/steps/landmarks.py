"""Measures 468 points of a face in three dimensions by the MediaPipe face mesh model.

Method: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs" (2019). The model runs
again on a crop centred and turned by the run before, until the crop settles: there it is most exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from facefleet.engine.models.session import ImageModel, Session
from facefleet.engine.steps.geometry import Square, apply_affine
from facefleet.engine.steps.resample import halved, warped
from facefleet.engine.types import LANDMARKS, Floats, Pixels

MIN_PRESENCE = 0.98  # real faces score over 0.999, what is read the wrong way up mostly less than this
CERTAIN_PRESENCE = 0.9999  # of an upright face that is not tiny
MAX_INFERENCES = 4
SETTLED_ANGLE = np.radians(8)  # a crop that turns less between two inferences is right
CROP_MARGIN = 1.5  # of the face's long side, as the model was trained
MAX_SHRINK = 2  # source px per px of the crop; beyond, bilinear reading would skip pixels
_EYE_CORNERS = ((33, 133), (362, 263))  # subject's right, subject's left


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """What the landmark model says about one crop.

    Attributes:
        points: ``(468, 3)`` float32 px of the image, z in the same scale.
        presence: 0 to 1, how sure the model is that it looked at a face.
    """

    points: Floats
    presence: float

    @property
    def corners(self) -> Floats:
        """``(4,)`` float32: left, top, right, bottom."""
        xy = self.points[:, :2]
        return np.concatenate([xy.min(axis=0), xy.max(axis=0)])

    def square(self) -> Square:
        """The crop for the next inference."""
        xy = self.points[:, :2]
        (right_outer, right_inner), (left_outer, left_inner) = (xy[list(pair)] for pair in _EYE_CORNERS)
        eye_x, eye_y = (left_outer + left_inner - right_outer - right_inner).tolist()
        angle = math.atan2(eye_y, eye_x)
        cos, sin = math.cos(angle), math.sin(angle)
        # The box is measured along the head's own axes, else a tilted head would get too large a crop.
        level = xy @ np.array([[cos, -sin], [sin, cos]], np.float32)
        (left, top), (right, bottom) = level.min(axis=0).tolist(), level.max(axis=0).tolist()
        x, y = (left + right) / 2, (top + bottom) / 2
        side = CROP_MARGIN * max(right - left, bottom - top)
        return Square(x * cos - y * sin, x * sin + y * cos, side, angle)


class Landmarker:
    """The face mesh model.

    Args:
        session: 192 px input; outputs 1404 numbers and a presence score.
    """

    def __init__(self, session: Session) -> None:
        self._model = ImageModel(session)

    def warm(self) -> None:
        """Run the model on empty input; raises as ``Session``."""
        self._model.warm()

    def locate(self, image: Pixels, square: Square) -> Mesh | None:
        """The mesh of the face in a square, or None where the model sees no face.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            square: From the detector.
        """
        mesh = self._infer_either_way_up(image, square)
        for _ in range(MAX_INFERENCES - 1):
            if mesh.presence < MIN_PRESENCE:
                return None
            square = mesh.square()
            mesh = self.infer(image, square)
            # The detector guesses the tilt of a head on its side badly; then the model leans towards upright as well.
            if abs(_turn(square.angle, mesh.square().angle)) < SETTLED_ANGLE:
                break
        return mesh if mesh.presence >= MIN_PRESENCE else None

    def _infer_either_way_up(self, image: Pixels, square: Square) -> Mesh:
        """The mesh of a crop, also tried upside down where the model is in doubt: the detector misses such a turn."""
        upright = self.infer(image, square)
        if upright.presence >= CERTAIN_PRESENCE:
            return upright
        turned = self.infer(image, replace(square, angle=square.angle + np.pi))
        return max(upright, turned, key=lambda mesh: mesh.presence)

    def infer(self, image: Pixels, square: Square) -> Mesh:
        """The mesh by one inference on a square, whatever is there."""
        size = self._model.size
        raw, presence = self._model.run(crop_tensor(image, square, size))
        points = raw.reshape(LANDMARKS, 3)
        step = square.side / size
        xy = apply_affine(square.to_image(size), points[:, :2] - np.float32(0.5))
        points = np.concatenate([xy, points[:, 2:] * np.float32(step)], axis=1)
        return Mesh(points.astype(np.float32), float(1 / (1 + np.exp(-float(presence.ravel()[0])))))


def _turn(a: float, b: float) -> float:
    """From one angle to another the short way, radians."""
    return float((b - a + np.pi) % (2 * np.pi) - np.pi)


def crop_tensor(image: Pixels, square: Square, size: int) -> Floats:
    """``(1, size, size, 3)`` float32 RGB from 0 to 1, of a square.

    What the square covers is halved until it is at most twice as large: each halving is an exact mean, so a large face
    neither aliases nor costs much more than a small one.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        square: Where to look.
        size: px.
    """
    affine = square.to_image(size)
    corners = apply_affine(affine, np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float32))
    x0, y0 = (int(v) for v in np.maximum(np.floor(corners.min(axis=0)) - 2, 0))
    x1, y1 = (int(v) for v in np.maximum(np.ceil(corners.max(axis=0)) + 3, 0))
    part = image[y0:y1, x0:x1]
    if part.size == 0:
        return np.zeros((1, size, size, 3), np.float32)
    local = affine - np.array([[0, 0, x0], [0, 0, y0]], np.float32)
    side = square.side
    while side > MAX_SHRINK * size and min(part.shape[:2]) > 1:
        part, side = halved(part), side / 2
        local = local / np.float32(2) - np.array([[0, 0, 0.25], [0, 0, 0.25]], np.float32)  # pixel centres
    rgb = warped(part, local, size)
    return np.asarray(cv2.addWeighted(rgb, 1 / 255, rgb, 0, 0, dtype=cv2.CV_32F), np.float32)[None]
