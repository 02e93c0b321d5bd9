"""Fits similarity transforms in two and three dimensions, for crops, pose and alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facefleet.engine.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """``scale · rotation · point + shift``.

    Attributes:
        scale: Of the target over the source.
        rotation: ``(3, 3)`` float32, a proper rotation.
        shift: ``(3,)`` float32.
    """

    scale: float
    rotation: Floats
    shift: Floats

    def __call__(self, points: Floats) -> Floats:
        """Map ``(N, 3)`` points."""
        return np.asarray(self.scale * points @ self.rotation.T + self.shift, np.float32)


def fit_similarity(source: Floats, target: Floats) -> Similarity:
    """The similarity that takes ``source`` to ``target`` with the least squares (Umeyama 1991, equations 40 to 42).

    Args:
        source: ``(N, 3)``.
        target: ``(N, 3)``.
    """
    source64, target64 = source.astype(np.float64), target.astype(np.float64)
    source_mean, target_mean = source64.mean(axis=0), target64.mean(axis=0)
    a, b = source64 - source_mean, target64 - target_mean
    u, singular, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * signs) @ vt
    scale = float((singular * signs).sum() / (a**2).sum())
    shift = target_mean - scale * rotation @ source_mean
    return Similarity(scale, rotation.astype(np.float32), shift.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Square:
    """A turned square on an image: where a model looks.

    Attributes:
        x: Centre, px.
        y: Centre, px.
        side: px.
        angle: Clockwise in the image, radians.
    """

    x: float
    y: float
    side: float
    angle: float

    def to_image(self, size: int) -> Floats:
        """``(2, 3)`` float32 affine from a ``size`` px crop to the image; pixel centres are at whole numbers."""
        step = self.side / size
        cos, sin = step * np.cos(self.angle), step * np.sin(self.angle)
        half = (size - 1) / 2
        return np.array(
            [[cos, -sin, self.x - cos * half + sin * half], [sin, cos, self.y - sin * half - cos * half]], np.float32
        )


def apply_affine(affine: Floats, points: Floats) -> Floats:
    """Map ``(N, 2)`` points by a ``(2, 3)`` affine."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float32)
