"""Measures how sharp a face is, and makes one as soft as another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.mesh.median import median
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

SAMPLE = 160  # px, side of the largest area that is measured
STRONGEST = 0.97  # quantile of the gradients that count as edges
SOFT_LOWEST, SOFT_HIGHEST = 0.3, 6.0  # px
WORTH_BLURRING = 0.45  # px
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # blind to edges and slopes


@dataclass(frozen=True, slots=True)
class Grain:
    """Sharpness of a photo.

    Attributes:
        softness: Standard deviation of the blur of the sharpest edges, px.
        noise: Standard deviation of its finest noise on skin, levels; what is hardly steeper is no edge.
    """

    softness: float
    noise: float


def grain_of(patch: Pixels, points: Floats) -> Grain:
    """Measure a face.

    Softness is read off edges of eyes and brows that are blurred once more (Zhuo and Sim, "Defocus map estimation from
    a single image", 2011); noise off cheeks and nose (Immerkær, "Fast noise variance estimation", 1996; here with a
    median, which a wrinkle does not move).

    Args:
        patch: ``(h, w, 3)`` uint8 BGR.
        points: ``(468, 2)`` px of the patch.
    """
    eyes = _grey(
        _cut(patch, points[list(topology.RIGHT_EYE + topology.LEFT_EYE + topology.RIGHT_BROW + topology.LEFT_BROW)])
    )
    skin = _grey(_cut(patch, points[list(topology.CORE_SKIN)]))
    residue = np.abs(cv2.filter2D(skin, cv2.CV_32F, _NOISE_KERNEL))[1:-1, 1:-1]
    noise = float(median(residue.ravel())) / (6 * 0.6745) if residue.size else 0.0
    return Grain(_softness(eyes, noise), noise)


def matched(pixels: Pixels, own: Grain, target: Grain) -> Pixels:
    """A drawn face as soft as the target.

    Args:
        pixels: ``(h, w, 3)`` uint8 BGR.
        own: Of these pixels: measured where they are shown, since a face of 40 px has no sharp edges in any photo.
        target: Of the face below.
    """
    blur = float(np.sqrt(max(0.0, target.softness**2 - own.softness**2)))
    if blur <= WORTH_BLURRING:
        return pixels
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), blur), np.uint8)


def _softness(grey: Floats, noise: float) -> float:
    slope = _slope(grey)
    if not slope.size:
        return SOFT_LOWEST
    floor = max(4 * noise, 2.0)
    edges = slope >= max(_strongest(slope), floor)
    if int(edges.sum()) < 8:
        return SOFT_LOWEST
    again = _slope(np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.float32))
    ratio = float(median(np.asarray(slope[edges] / np.maximum(again[edges], 1e-3), np.float32)))
    return float(np.clip(1 / np.sqrt(max(ratio**2 - 1, 1e-3)), SOFT_LOWEST, SOFT_HIGHEST))


def _strongest(slope: Floats) -> float:
    place = min(slope.size - 1, round(STRONGEST * (slope.size - 1)))
    return float(np.partition(slope, place, axis=None)[place])


def _slope(grey: Floats) -> Floats:
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=1, scale=0.5) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _cut(patch: Pixels, points: Floats) -> Pixels:
    """The middle of the box round some points."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, np.minimum((high - low) / 2 + 2, SAMPLE / 2)
    x0, y0 = np.maximum(np.round(middle - half), 0).astype(int)
    x1, y1 = np.round(middle + half).astype(int)
    return patch[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def _grey(pixels: Pixels) -> Floats:
    if not pixels.size:
        return np.zeros((3, 3), np.float32)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2GRAY), np.float32)
