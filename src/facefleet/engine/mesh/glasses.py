"""Finds the frame of clear glasses, so that a target's glasses stay in front of the source's eyes.

No model: a frame is a chain of thin ridges, darker, lighter or of another colour than what is beside them, and a bare
face has none across the bridge of the nose. So a crossing of the nose comes first, and together with it rims below the
eyes or temples; then the chains are followed as the best paths (dynamic programming) from there. All of it on a band
round the eyes that is turned upright and has one size, whatever the photo measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.mesh.ridges import Path, Places, Ridges, best_paths, places, ridges
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

BETWEEN_EYES = 100.0  # px of the band between the eyes' centres
BAND = (300, 170)  # px
MIDDLE = (150.0, 75.0)  # px of the band, between the eyes
BRIDGE_HALF = 16  # px each side of the nose that the bridge must cross
BRIDGE_ABOVE, BRIDGE_BELOW = 32, 26  # px
MIN_BRIDGE = 8.0  # contrast, see ``ridges``
MIN_RIMS = 7.0
FAINT_RIMS = 4.0  # of rims as light as the skin below the eyes,
MIN_ALONE = 20.0  # which a bridge must bear out
MIN_TEMPLES = 14.0  # and a temple
FAINT = 5.0  # contrast below which a chain has ended
FADED = 0.3  # and share of its own
LONGEST_GAP = 20  # steps of a chain that are bridged: a glint, a lash, the light rim of a lens on bright skin
TEMPLE_ABOVE, TEMPLE_BELOW = 22, 12  # px from the outermost point of a rim
ANGLES, RADII = 96, 40
SIDES = (-1, 1)  # of the image: its left, its right
# Half axes of the ellipses round an eye between which its rim runs, px: nasal, temporal, up, down.
NEAREST, FURTHEST = (26.0, 29.0, 14.0, 18.0), (46.0, 58.0, 44.0, 55.0)
LOWER_ARC = (20.0, 160.0)  # degrees clockwise from the image's right
MARGIN = 0.7  # px round a chain, where the frame's edge is
FEATHER = 0.8  # px

Transform = npt.NDArray[np.float64]
Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Glasses:
    """A frame.

    Attributes:
        mask: ``(170, 300)`` uint8 of the band, 255 on the frame.
        to_band: ``(2, 3)``, px of the patch to px of the band.
    """

    mask: Pixels
    to_band: Transform

    def over(self, size: tuple[int, int]) -> Floats:
        """``(h, w)`` float32: the frame's share of each pixel of the patch.

        Args:
            size: Width and height of the patch.
        """
        soft = cv2.GaussianBlur(self.mask, (0, 0), FEATHER)
        laid = cv2.warpAffine(soft, self.to_band, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.asarray(laid, np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """Of the eyes: the patch turned upright, drawn only where it is looked at.

    Attributes:
        to_band: px of the patch to px of the band.
        shrink: px of the patch that are one px before it is turned, each way.
        narrow: How much of the eyes' distance the turn of the head leaves, 0 to 1.
    """

    patch: Pixels
    to_band: Transform
    shrink: int
    narrow: float

    def part(self, rectangle: Rectangle) -> Pixels:
        """``(bottom - top, right - left, 3)`` uint8 BGR of left, top, right, bottom, px."""
        (x, y), small = self._under(rectangle)
        step = float(self.shrink)
        centred = np.array([[step, 0, x + (step - 1) / 2], [0, step, y + (step - 1) / 2], [0, 0, 1]])
        onto = self.to_band @ centred
        onto[:, 2] -= rectangle[:2]
        size = rectangle[2] - rectangle[0], rectangle[3] - rectangle[1]
        return np.asarray(cv2.warpAffine(small, onto, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    def _under(self, rectangle: Rectangle) -> tuple[tuple[int, int], Pixels]:
        """Where the shrunk part of the patch under a rectangle of the band begins, and that part."""
        left, top, right, bottom = rectangle
        corners = np.array([[left, right, left, right], [top, top, bottom, bottom], [1.0, 1, 1, 1]])
        there = cv2.invertAffineTransform(self.to_band) @ corners
        blocks = np.array(self.patch.shape[1::-1]) // self.shrink
        first = np.clip(np.floor(there.min(axis=1) / self.shrink) - 1, 0, blocks - 1).astype(int)
        last = np.clip(np.ceil(there.max(axis=1) / self.shrink) + 1, first + 1, blocks).astype(int)
        (x, y), (beyond_x, beyond_y) = first * self.shrink, last * self.shrink
        part = self.patch[y:beyond_y, x:beyond_x]
        if self.shrink > 1:
            columns, rows = (last - first).tolist()
            part = np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
        return (int(x), int(y)), part


def find_glasses(patch: Pixels, points: Floats) -> Glasses | None:
    """The frame in front of a face, or None where there is not enough to tell.

    Args:
        patch: ``(h, w, 3)`` uint8 BGR.
        points: ``(468, 3)`` px of the patch.
    """
    band = _band(patch, points)
    half = BRIDGE_HALF * band.narrow
    x, y = MIDDLE
    nose = (round(x - half) - 14, round(y) - BRIDGE_ABOVE - 12, round(x + half) + 14, round(y) + BRIDGE_BELOW + 12)
    over_nose = _over_nose(ridges(band.part(nose), nose[:2]), half)
    if over_nose.weakest(15) < MIN_BRIDGE:  # so it is on a bare face
        return None
    (bridge,) = best_paths(over_nose, closed=False)
    if bridge.weakest(15) < MIN_BRIDGE:
        return None
    seen = ridges(band.part((0, 0, *BAND)), (0, 0))
    rims = _rims(seen, band.narrow)
    temples = [_temple(seen, rim, side) for rim, side in zip(rims, SIDES, strict=True)]
    low = float(np.mean([rim.between(*LOWER_ARC).weakest(25) for rim in rims]))
    beside = max(temple.weakest(25) for temple in temples)
    if low < MIN_RIMS and (low < FAINT_RIMS or bridge.weakest(15) < MIN_ALONE or beside < MIN_TEMPLES):
        return None
    return Glasses(_drawn((bridge, *rims, *temples)), band.to_band)


def _band(patch: Pixels, points: Floats) -> _Band:
    right, left = (points[list(eye)].mean(axis=0) for eye in (topology.RIGHT_EYE, topology.LEFT_EYE))
    across = (left - right).astype(np.float64)
    whole, seen = float(np.linalg.norm(across)), float(np.linalg.norm(across[:2]))
    scale = BETWEEN_EYES / max(whole, 1e-6)
    cos, sin = across[:2] / max(seen, 1e-6) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    to_band = np.hstack([turn, (np.array(MIDDLE) - turn @ (right + left)[:2] / 2)[:, None]])
    shrink = min(max(1, int(1 / scale)), *patch.shape[:2])
    return _Band(patch, to_band, shrink, seen / max(whole, 1e-6))


def _over_nose(seen: Ridges, half: float) -> Places:
    """From one side of the nose to the other."""
    xs = np.linspace(MIDDLE[0] - half, MIDDLE[0] + half, 24)
    ys = np.arange(MIDDLE[1] - BRIDGE_ABOVE, MIDDLE[1] + BRIDGE_BELOW)
    return _across(seen, xs, ys)


def _across(seen: Ridges, xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64]) -> Places:
    """Along the columns ``xs``, somewhere in the rows ``ys``."""
    x, y = np.meshgrid(xs, ys, indexing="ij")
    return places(seen, x[None], y[None], np.full(len(xs), np.pi / 2, np.float64))


def _rims(seen: Ridges, narrow: float) -> list[Path]:
    """Round the eye on the image's left, and round the one on its right."""
    angles = np.arange(ANGLES, dtype=np.float64) * (2 * np.pi / ANGLES)
    cos, sin = np.cos(angles), np.sin(angles)

    def ellipse(side: int, axes: tuple[float, float, float, float]) -> npt.NDArray[np.float64]:
        nasal, temporal, up, down = axes
        across = np.where(cos * side < 0, nasal, temporal) * narrow
        return np.asarray(1 / np.hypot(cos / across, sin / np.where(sin > 0, down, up)), np.float64)

    inner, outer = (np.stack([ellipse(side, axes) for side in SIDES])[..., None] for axes in (NEAREST, FURTHEST))
    radius = inner + (outer - inner) * np.linspace(0, 1, RADII)
    eye = MIDDLE[0] + np.array(SIDES)[:, None, None] * (BETWEEN_EYES / 2 * narrow)
    x, y = eye + cos[:, None] * radius, MIDDLE[1] + sin[:, None] * radius
    return best_paths(places(seen, x, y, angles), closed=True)


def _temple(seen: Ridges, rim: Path, side: int) -> Path:
    """From the outer edge of a rim towards the ear."""
    outermost = int(np.argmax(side * rim.x))
    start, hinge = float(rim.x[outermost]), float(rim.y[outermost])
    xs = start + side * np.arange(0.0, 40.0, 1.5)
    xs = xs[(xs > 2) & (xs < BAND[0] - 3)]
    ys = np.arange(hinge - TEMPLE_ABOVE, hinge + TEMPLE_BELOW, dtype=np.float64)
    (temple,) = best_paths(_across(seen, xs, ys), closed=False)
    return temple


def _drawn(paths: tuple[Path, ...]) -> Pixels:
    mask = np.zeros((BAND[1], BAND[0]), np.uint8)
    for path in paths:
        lasting = path.lasting(max(FAINT, FADED * path.weakest(75)), LONGEST_GAP)
        start, end = path.neighbours(lasting)
        points = np.round(4 * np.stack([path.x, path.y], axis=1)).astype(int)  # in quarters of a px
        thick = np.maximum(1, np.round(path.half_width[start] + path.half_width[end] + 2 * MARGIN)).astype(int)
        for one, other, width in zip(points[start].tolist(), points[end].tolist(), thick.tolist(), strict=True):
            cv2.line(mask, one, other, 255, width, cv2.LINE_8, 2)
    return mask
