"""Counts what speaks for an area of a straightened face being a thing: how sure, how large, how sharply bounded it is.

Few numbers, and none about the look of single features: with more, what was learned from three people misled on others.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.mesh import canonical
from facefleet.engine.mesh.median import median
from facefleet.engine.types import Floats

STRONGEST_EDGE = 4.0  # units per px
SUREST = 0.995
COUNT = 3

Mask = npt.NDArray[np.bool_]


def numbers(area: Mask, said: Floats, edges: Floats) -> Floats:
    """``(COUNT,)`` float32 on one area: log odds of its mean sureness, log share of the face, root of its edge.

    Args:
        area: ``(HEIGHT, WIDTH)``.
        said: How surely something lies before each pixel.
        edges: ``(HEIGHT, WIDTH)``, strength of the strongest edge beside each pixel.
    """
    sureness = min(float(said[area].mean()), SUREST)
    along = edges[_border(area)]
    edge = min(float(median(along)), STRONGEST_EDGE) if along.size else STRONGEST_EDGE / 2
    size = float(area.sum() / canonical.inner().sum())
    return np.array([np.log(sureness / (1 - sureness)), np.log(size), np.sqrt(edge)], np.float32)


def edges_of(units: Floats) -> Floats:
    """``(HEIGHT, WIDTH)`` float32, the strongest edge in any channel on or beside each pixel, units per px."""
    across, down = (cv2.Sobel(units, cv2.CV_32F, *order, scale=0.25) for order in ((1, 0), (0, 1)))
    blue, green, red = cv2.split(cv2.magnitude(across, down))
    steep = cv2.max(cv2.max(blue, green), red)
    return np.asarray(cv2.dilate(steep, np.ones((3, 3), np.uint8)), np.float32)


def _border(area: Mask) -> Mask:
    """Its outermost pixels, but not where it ends because the face does."""
    core = cv2.erode(np.asarray(area, np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(area & ~core & _within())


@cache
def _within() -> Mask:
    inner = np.asarray(canonical.inner(), np.uint8)
    return np.asarray(cv2.erode(inner, np.ones((3, 3), np.uint8)) > 0)
