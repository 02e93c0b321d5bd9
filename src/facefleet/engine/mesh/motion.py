"""Finds in which direction and how far a face moved while its photo was taken, and blurs another face so.

Motion takes detail along its direction only. A face has more detail up and down than from side to side by itself, so
the photo is compared with the sharp face that is drawn into it, whose eyes, brows and lips lie in the same places.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.mesh.noise import Noise, octaves_of
from facefleet.engine.types import Floats, Pixels

OCTAVES = 3
# Log of the detail across the motion over that along it, in the two finest octaves together, and FINER times by how
# much it is more in the second than in the third: two still faces differ in one or the other, not in both, not alike.
DIRECTED, FINER = 1.26, 2.0
# More is asked where the finest octave has less across the motion than the sharp face by so much of a log: what is
# blurred every way differs from it in many ways.
DIRECTED_SOFT, SOFT = 1.78, -0.9
DIRECTED_LEAST, FINER_LEAST = 0.5, 0.1
TURN = 25.0  # degrees by which the directions of these two may differ
LENGTHS = (3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 18, 21)  # px
SLOPES = 2.2  # mean square of the slopes of noise over its variance
LEAST_LEFT = 0.1  # of the detail after that of the noise is taken away
_STEPS = 8  # samples of the path a px

_ANGLES = np.deg2rad(np.arange(0, 180, 15, dtype=np.float32))
_WEIGHTS = np.stack([np.cos(_ANGLES) ** 2, np.sin(2 * _ANGLES), np.sin(_ANGLES) ** 2], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """What a face shows in each direction.

    Attributes:
        weights: Of each octave ``(h, w)`` float32 whose squares add up to 1, over 0 where it was measured.
        slopes: ``(OCTAVES, 3)`` float32, of each octave, the finest first, the mean products of its slopes: across ·
            across, across · down and down · down.
    """

    weights: tuple[Floats, ...]
    slopes: Floats


@dataclass(frozen=True, slots=True)
class Motion:
    """A straight path.

    Attributes:
        length: px.
        angle: Degrees clockwise from the image's right, 0 to 180.
    """

    length: float
    angle: float

    def blurred(self, pixels: Pixels) -> Pixels:
        """``pixels`` as they show after that motion."""
        return np.asarray(cv2.filter2D(pixels, -1, self.kernel(), borderType=cv2.BORDER_REPLICATE), np.uint8)

    def kernel(self) -> Floats:
        """``(n, n)`` float32, sum 1: the path with bilinear ends and sides."""
        radius = int(np.ceil(self.length / 2)) + 1
        along = np.linspace(-self.length / 2, self.length / 2, max(2, round(self.length * _STEPS)))
        turn = np.deg2rad(self.angle)
        place = np.arange(-radius, radius + 1)[:, None]
        x, y = (np.maximum(1 - np.abs(place - along * part), 0) for part in (np.cos(turn), np.sin(turn)))
        return np.asarray(y @ x.T / (y @ x.T).sum(), np.float32)


def detail_of(pixels: Pixels, where: Pixels, noise: Noise | None = None) -> Detail:
    """Measure a face.

    Args:
        pixels: ``(h, w, 3)`` uint8 BGR.
        where: ``(h', w')`` uint8, over 0 where to measure.
        noise: That did not move with the face, and is taken away.
    """
    grey = _grey(pixels)
    weights = _weights(where, grey.shape)
    slopes = _slopes(grey, weights)
    if noise is not None:
        alike = slopes[:, ::2]
        alike[:] = np.maximum(alike - SLOPES * np.square(noise.strength[:OCTAVES, :1]), LEAST_LEFT * alike)
    return Detail(weights, slopes)


def find_motion(photo: Detail, drawn: Pixels) -> Motion | None:
    """The motion of a photo; None where it has no clear direction.

    Args:
        photo: Of the face in the photo.
        drawn: ``(h, w, 3)`` uint8 BGR, the sharp face drawn there.
    """
    face = _grey(drawn)
    ratios = _log_ratios(photo.slopes, _slopes(face, photo.weights))
    amount, angle = _direction(ratios[0] + ratios[1])
    finer, other_angle = _direction(ratios[1] - ratios[2])
    directed = DIRECTED if _towards(ratios[0], angle + 90) > SOFT else DIRECTED_SOFT
    if amount < DIRECTED_LEAST or finer < FINER_LEAST or amount + FINER * finer < directed:
        return None
    if abs((angle - other_angle + 90) % 180 - 90) > TURN:
        return None
    return min((Motion(float(length), angle) for length in LENGTHS), key=lambda each: _misfit(each, face, photo))


def _misfit(motion: Motion, face: Floats, photo: Detail) -> float:
    """How far the face after that motion is from the photo in the direction of its detail."""
    moved = np.asarray(cv2.filter2D(face, -1, motion.kernel(), borderType=cv2.BORDER_REPLICATE), np.float32)
    ratios = _log_ratios(photo.slopes, _slopes(moved, photo.weights))
    return sum((_towards(each, motion.angle) - _towards(each, motion.angle + 90)) ** 2 for each in ratios)


def _weights(where: Pixels, shape: tuple[int, ...]) -> tuple[Floats, ...]:
    """See ``Detail.weights``; ``shape`` is that of the finest octave."""
    weights = []
    for _ in range(OCTAVES):
        inside = np.asarray(cv2.resize(where, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0, np.float32)
        weights.append(np.asarray(inside / np.sqrt(max(1.0, float(inside.sum()))), np.float32))
        shape = tuple((side + 1) // 2 for side in shape)
    return tuple(weights)


def _slopes(grey: Floats, weights: tuple[Floats, ...]) -> Floats:
    """See ``Detail.slopes``."""
    products = []
    for octave, weight in zip(octaves_of(grey, OCTAVES), weights, strict=True):
        across, down = (
            cv2.multiply(cv2.Sobel(octave, cv2.CV_32F, *order, ksize=1), weight).ravel() for order in ((1, 0), (0, 1))
        )
        products.append([float(one @ other) for one, other in ((across, across), (across, down), (down, down))])
    return np.array(products, np.float32)


def _log_ratios(photo: Floats, face: Floats) -> Floats:
    """``(OCTAVES, len(_ANGLES))``: log of the detail in the photo over that in the face, direction by direction."""
    return np.asarray(np.log((photo @ _WEIGHTS.T + 1e-3) / (face @ _WEIGHTS.T + 1e-3)), np.float32)


def _direction(ratios: Floats) -> tuple[float, float]:
    """How much a function of direction changes, and where it is lowest, degrees: its second harmonic."""
    across, down = (float(ratios @ wave) * 2 / len(ratios) for wave in (np.cos(2 * _ANGLES), np.sin(2 * _ANGLES)))
    return float(np.hypot(across, down)), float(np.rad2deg(np.arctan2(-down, -across)) / 2 % 180)


def _towards(ratios: Floats, angle: float) -> float:
    """The value of such a function in one direction."""
    return float(np.interp(angle % 180, np.rad2deg(np.append(_ANGLES, np.pi)), np.append(ratios, ratios[0])))


def _grey(pixels: Pixels) -> Floats:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.float32)
