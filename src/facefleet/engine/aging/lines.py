"""Draws the lines that come with age: soft valleys along the anatomy of the face, from its landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from facefleet.engine.steps import topology
from facefleet.engine.types import Floats

_SUBDIVIDED = 6  # points of the curve between two landmarks
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
        mirror = topology.topology().mirror
        return _midway(points, right, other), _midway(points, mirror[right], mirror[other])


def _midway(points: Floats, a: topology.Indices, b: topology.Indices) -> Floats:
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
                    curve = _spline(len(course)) @ course
                    curve += np.float32(WAVE * width) * _stray(len(curve), 2 * index + side)
                    _draw(stroke, curve, line.depth)
        total -= _valley(stroke, sigma * width)
    return total


def _draw(stroke: Floats, curve: Floats, depth: float) -> None:
    """One px broad, fading towards its end."""
    places = np.round(curve * (1 << _FRACTION)).astype(np.int32).tolist()
    along = 0.3 + 0.7 * np.arange(len(places) - 1) / (len(places) - 1)
    strengths = (depth * np.sqrt(np.sin(np.pi * along))).tolist()
    for start, end, strength in zip(places, places[1:], strengths, strict=False):
        cv2.line(stroke, start, end, strength, 1, cv2.LINE_8, _FRACTION)


def _valley(stroke: Floats, sigma: float) -> Floats:
    """Depth across the strokes: a valley with light shoulders, as deep as they say."""
    calm = max(_FINEST, sigma)
    narrow, broad = (
        cv2.GaussianBlur(stroke, (0, 0), scale * calm) * (scale * sigma * _SQRT_TAU) for scale in (1.0, 2.5)
    )
    return np.asarray(narrow - 0.35 * broad, np.float32)


@cache
def _stray(count: int, seed: int) -> Floats:
    """``(count, 2)``: no line of a face is as smooth as a spline; each strays its own way, the same on every photo."""
    noise = np.random.default_rng(seed).standard_normal((count // 5 + 2, 2)).astype(np.float32)
    return np.asarray(cv2.resize(noise, (2, count), interpolation=cv2.INTER_CUBIC), np.float32)


@cache
def _spline(count: int) -> Floats:
    """``(N, count)``: weights of the points in each place of a Catmull–Rom spline through them."""
    ends = np.eye(count, dtype=np.float32)
    padded = np.concatenate([2 * ends[:1] - ends[1:2], ends, 2 * ends[-1:] - ends[-2:-1]])
    t = np.linspace(0, 1, _SUBDIVIDED, endpoint=False, dtype=np.float32)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.asarray(np.concatenate([*parts, ends[-1:]]), np.float32)
