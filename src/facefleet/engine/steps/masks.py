"""Which pixels may change: the face without hair, glasses and hands, at the working size. Between warp and blend."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps import mesh
from facefleet.engine.types import Floats, Pixels

FEATHER = 0.045  # face widths over which the edge fades
PROTECT = 0.045  # face widths round eyes, brows and lips where skin colour says nothing
OUTLIER_LOW, OUTLIER_HIGH = 3.2, 5.0  # robust standard deviations from the skin's colour
_SPREAD_FLOOR = np.array([7.0, 3.5, 3.5], np.float32)  # of L, a, b; even make-up and flat light leave this much


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Parts of a face as masks, ``(h, w)`` uint8 of 0 and 255.

    Attributes:
        face: Inside the oval.
        skin: The face without eyes, brows, lips, nostrils and rim: what colour is measured on.
        protected: Eyes, brows and lips with a margin: never taken for hair or glasses.
        mouth: Between the inner lips.
        width: Of the face, px.
    """

    face: Pixels
    skin: Pixels
    protected: Pixels
    mouth: Pixels
    width: float


def regions(points: Floats, size: tuple[int, int]) -> Regions:
    """Draw the parts of a face.

    Args:
        points: ``(468, 2+)`` px of the working image.
        size: Width and height of the working image.
    """
    xy = np.round(points[:, :2]).astype(np.int32)
    width = float(np.linalg.norm(points[mesh.CHEEKS[1], :2] - points[mesh.CHEEKS[0], :2]))
    face = _drawn(size, [xy[list(mesh.OVAL)]])
    eyes, brows = (mesh.RIGHT_EYE, mesh.LEFT_EYE), (mesh.RIGHT_BROW, mesh.LEFT_BROW)
    features = _drawn(size, [_hull(xy, part) for part in (*eyes, *brows, mesh.LIPS_OUTER)])
    protected = cv2.dilate(features, _disc(PROTECT * width))
    rim = cv2.erode(face, _disc(0.06 * width), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    skin = cv2.bitwise_and(rim, cv2.bitwise_not(protected))
    mouth = _drawn(size, [xy[list(mesh.LIPS_INNER)]])
    return Regions(face, np.asarray(skin, np.uint8), np.asarray(protected, np.uint8), mouth, width)


def outliers(lab: Floats, parts: Regions) -> Floats:
    """``(h, w)`` float32, 1 where the colour is not this face's skin: hair, glasses, a hand, a hat.

    Distance in median absolute deviations from the median colour of the skin; eyes, brows and lips are never outliers.

    Args:
        lab: ``(h, w, 3)`` float32 CIE L*a*b*.
        parts: Of the same image.
    """
    skin = lab[parts.skin > 0]
    if len(skin) < 16:
        return np.zeros(lab.shape[:2], np.float32)
    middle = np.median(skin, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(skin - middle), axis=0), _SPREAD_FLOOR)
    distance = np.sqrt((((lab - middle) / spread) ** 2).sum(axis=2))
    mask = mesh.smoothstep((distance - OUTLIER_LOW) / (OUTLIER_HIGH - OUTLIER_LOW))
    mask[parts.protected > 0] = 0
    # Freckles, nostrils and highlights are small: opening drops them, hair and frames survive.
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(0.012 * parts.width))
    grown = cv2.dilate(opened, _disc(0.015 * parts.width))
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), 0.012 * parts.width + 0.3), np.float32)


def feathered(face: Pixels, width: float) -> Floats:
    """``(h, w)`` float32 that falls from 1 to exactly 0 inside the mask's edge."""
    radius = FEATHER * width
    inner = cv2.erode(face, _disc(1.6 * radius), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    soft = cv2.GaussianBlur(np.asarray(inner, np.float32) / np.float32(255), (0, 0), radius)
    soft = np.clip((soft - 0.02) / 0.96, 0, 1)
    return np.where(face > 0, soft, 0).astype(np.float32)


def _drawn(size: tuple[int, int], loops: list[np.ndarray]) -> Pixels:
    mask = np.zeros((size[1], size[0]), np.uint8)
    for loop in loops:
        cv2.fillPoly(mask, [loop], 255)
    return mask


def _hull(xy: np.ndarray, part: tuple[int, ...]) -> np.ndarray:
    return np.asarray(cv2.convexHull(xy[list(part)]))


def _disc(radius: float) -> Pixels:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
