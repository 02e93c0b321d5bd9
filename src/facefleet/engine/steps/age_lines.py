"""Where lines come with the years: soft valleys along the anatomy of the face, from its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps import mesh
from facefleet.engine.types import Floats

_SUBDIVIDED = 8  # points of the curve between two landmarks
_FRACTION = 4  # bits of the rasteriser
_FINEST = 0.7  # px; a finer line is fainter, not narrower
_SQRT_TAU = 2.5066  # a stroke of one px blurred by sigma peaks at 1 / (sigma · √2π)
WAVE = 0.004  # face widths


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the subject's right side; its mirror is drawn likewise.

    Attributes:
        points: Landmarks from its deep to its faint end.
        depth: Share of the lightness it takes at its deep end, at the strongest credible age.
        sigma: Half its breadth, face widths.
        between: Landmarks of a second course; the line runs midway.
    """

    points: tuple[int, ...]
    depth: float
    sigma: float
    between: tuple[int, ...] = ()

    def courses(self, points: Floats) -> tuple[Floats, Floats]:
        """``(N, 2)`` px of the right and of the left side.

        Args:
            points: ``(468, 2)`` px.
        """
        right, other = np.array(self.points, np.intp), np.array(self.between or self.points, np.intp)
        mirror = mesh.topology().mirror
        return _midway(points, right, other), _midway(points, mirror[right], mirror[other])


def _midway(points: Floats, a: mesh.Indices, b: mesh.Indices) -> Floats:
    return np.asarray((points[a] + points[b]) / 2, np.float32)


FOLDS = (
    Line((129, 203, 206, 216, 212), 0.13, 0.014),  # nasolabial
    Line((243, 128, 121, 120, 119), 0.08, 0.015),  # tear trough
    Line((57, 43, 204), 0.08, 0.012),  # below the corner of the mouth
)
WRINKLES = (
    Line((151, 108, 69, 104), 0.05, 0.007),  # forehead
    Line((151, 108, 69, 104), 0.045, 0.007, between=(10, 109, 67, 103)),
    Line((9, 107, 66, 105), 0.03, 0.007, between=(151, 108, 69, 104)),
    Line((226, 35, 143), 0.06, 0.006),  # crow's feet
    Line((113, 156), 0.05, 0.006),
    Line((231, 230, 229, 228), 0.04, 0.006),  # below the eye
)


def drawn(lines: tuple[Line, ...], points: Floats, width: float, shape: tuple[int, ...]) -> Floats:
    """``(h, w)`` float32: share of the lightness to add.

    Args:
        lines: To draw.
        points: ``(468, 2)`` px.
        width: Of the face, px.
        shape: Of the image.
    """
    total = np.zeros(shape[:2], np.float32)
    for sigma in sorted({line.sigma for line in lines}):
        stroke = np.zeros(shape[:2], np.float32)
        for index, line in enumerate(lines):
            if line.sigma == sigma:
                for side, course in enumerate(line.courses(points)):
                    _draw(stroke, _wavy(_curve(course), width, 2 * index + side), line.depth)
        total -= _valley(stroke, sigma * width)
    return total


def _draw(stroke: Floats, curve: Floats, depth: float) -> None:
    """One px broad, fading towards its end."""
    pixels = np.round(curve * (1 << _FRACTION)).astype(np.int32)
    steps = len(curve) - 1
    for index in range(steps):
        strength = depth * float(np.sin(np.pi * min(1.0, 0.3 + 0.7 * index / steps)) ** 0.5)
        cv2.line(stroke, pixels[index].tolist(), pixels[index + 1].tolist(), strength, 1, cv2.LINE_8, _FRACTION)


def _valley(stroke: Floats, sigma: float) -> Floats:
    """Depth across the strokes: a valley with light shoulders, as deep as they say."""
    calm = max(_FINEST, sigma)
    narrow, broad = (
        cv2.GaussianBlur(stroke, (0, 0), scale * calm) * (scale * sigma * _SQRT_TAU) for scale in (1.0, 2.5)
    )
    return np.asarray(narrow - 0.35 * broad, np.float32)


def _wavy(curve: Floats, width: float, seed: int) -> Floats:
    """No line of a face is as smooth as a spline; each strays in its own way, the same on every photo."""
    noise = np.random.default_rng(seed).standard_normal((len(curve) // 5 + 2, 2)).astype(np.float32)
    stray = cv2.resize(noise, (2, len(curve)), interpolation=cv2.INTER_CUBIC)
    return np.asarray(curve + np.float32(WAVE * width) * stray, np.float32)


def _curve(points: Floats) -> Floats:
    """A Catmull–Rom spline through the points."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, _SUBDIVIDED, endpoint=False, dtype=np.float32)[:, None]
    parts = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.asarray(np.concatenate([*parts, points[-1:]]), np.float32)
