"""Clear glasses: where the frame runs, so that a target's stay in front of another's eyes. Between landmarks and blend.

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

from facefleet.engine.steps import mesh
from facefleet.engine.steps.ridges import Path, Ridges, best_path, ridges
from facefleet.engine.types import Floats, Pixels

BETWEEN_EYES = 100.0  # px of the band between the eyes' centres
BAND = (300, 170)  # px
MIDDLE = (150.0, 75.0)  # px of the band, between the eyes
BRIDGE_HALF = 16  # px each side of the nose that the bridge must cross
BRIDGE_ABOVE, BRIDGE_BELOW = 32, 26  # px
MIN_BRIDGE = 8.0  # contrast, see ``ridges``
MIN_RIMS = 7.0
MIN_ALONE = 20.0  # of a bridge that temples bear out, where no rim is below the eyes
MIN_TEMPLES = 14.0
FAINT = 5.0  # contrast below which a chain has ended
FADED = 0.3  # and share of its own
LONGEST_GAP = 12  # steps of a chain that are bridged: a glint, a lash
TEMPLE_ABOVE, TEMPLE_BELOW = 22, 12  # px from the outermost point of a rim
ANGLES, RADII = 96, 40
# Half axes of the ellipses round an eye between which its rim runs, px: nasal, temporal, up, down.
NEAREST, FURTHEST = (26.0, 29.0, 14.0, 18.0), (46.0, 58.0, 44.0, 55.0)
LOWER_ARC = (20.0, 160.0)  # degrees clockwise from the image's right
MARGIN = 0.7  # px round a chain, where the frame's edge is
FEATHER = 0.8  # px

Transform = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Glasses:
    """A frame.

    Attributes:
        mask: ``(170, 300)`` uint8 of the band, 255 on the frame.
        to_band: ``(2, 3)``, px of the patch to px of the band.
    """

    mask: Pixels
    to_band: Transform

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self.mask.nbytes + self.to_band.nbytes)

    def over(self, size: tuple[int, int]) -> Floats:
        """``(h, w)`` float32: the frame's share of each pixel of the patch.

        Args:
            size: Width and height of the patch.
        """
        soft = cv2.GaussianBlur(self.mask, (0, 0), FEATHER)
        laid = cv2.warpAffine(soft, self.to_band, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return np.asarray(laid, np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True)
class _Band:
    """Of the eyes; ``narrow`` is how much of their distance the turn of the head leaves, 0 to 1."""

    pixels: Pixels
    to_band: Transform
    narrow: float


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
    bridge = _bridge(ridges(band.pixels, nose), half)
    if bridge.weakest(15) < MIN_BRIDGE:
        return None
    seen = ridges(band.pixels, (0, 0, *BAND))
    rims = tuple(_rim(seen, side, band.narrow) for side in (-1, 1))
    temples = tuple(_temple(seen, rim, side) for rim, side in zip(rims, (-1, 1), strict=True))
    low = float(np.mean([rim.between(*LOWER_ARC).weakest(25) for rim in rims]))
    beside = max(temple.weakest(25) for temple in temples)
    if low < MIN_RIMS and (bridge.weakest(15) < MIN_ALONE or beside < MIN_TEMPLES):
        return None
    return Glasses(_drawn((bridge, *rims, *temples)), band.to_band)


def _band(patch: Pixels, points: Floats) -> _Band:
    right, left = (points[list(eye)].mean(axis=0) for eye in (mesh.RIGHT_EYE, mesh.LEFT_EYE))
    across = (left - right).astype(np.float64)
    whole, seen = float(np.linalg.norm(across)), float(np.linalg.norm(across[:2]))
    scale = BETWEEN_EYES / max(whole, 1e-6)
    cos, sin = across[:2] / max(seen, 1e-6) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    to_band = np.hstack([turn, (np.array(MIDDLE) - turn @ (right + left)[:2] / 2)[:, None]])
    shrink = max(1, int(1 / scale))
    small = patch
    if shrink > 1:
        size = patch.shape[1] // shrink, patch.shape[0] // shrink
        small = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA), np.uint8)
    x, y = small.shape[1] / patch.shape[1], small.shape[0] / patch.shape[0]
    centred = np.array([[1 / x, 0, (1 / x - 1) / 2], [0, 1 / y, (1 / y - 1) / 2], [0, 0, 1]])
    pixels = cv2.warpAffine(small, to_band @ centred, BAND, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _Band(np.asarray(pixels, np.uint8), to_band, seen / max(whole, 1e-6))


def _bridge(seen: Ridges, half: float) -> Path:
    """From one side of the nose to the other."""
    xs = np.linspace(MIDDLE[0] - half, MIDDLE[0] + half, 24)
    ys = np.arange(MIDDLE[1] - BRIDGE_ABOVE, MIDDLE[1] + BRIDGE_BELOW)
    x, y = np.meshgrid(xs, ys, indexing="ij")
    return best_path(seen, x, y, np.full(len(xs), np.pi / 2, np.float64), closed=False)


def _rim(seen: Ridges, side: int, narrow: float) -> Path:
    """Round the eye on the image's left (-1) or right (1)."""
    angles = np.arange(ANGLES, dtype=np.float64) * (2 * np.pi / ANGLES)
    cos, sin = np.cos(angles), np.sin(angles)

    def ellipse(axes: tuple[float, float, float, float]) -> npt.NDArray[np.float64]:
        nasal, temporal, up, down = axes
        across = np.where(cos * side < 0, nasal, temporal) * narrow
        return np.asarray(1 / np.hypot(cos / across, sin / np.where(sin > 0, down, up)), np.float64)

    inner, outer = ellipse(NEAREST), ellipse(FURTHEST)
    radius = inner[:, None] + (outer - inner)[:, None] * np.linspace(0, 1, RADII)
    x = MIDDLE[0] + side * BETWEEN_EYES / 2 * narrow + cos[:, None] * radius
    return best_path(seen, x, MIDDLE[1] + sin[:, None] * radius, angles, closed=True)


def _temple(seen: Ridges, rim: Path, side: int) -> Path:
    """From the outer edge of a rim towards the ear."""
    outermost = int(np.argmax(side * rim.x))
    start, hinge = float(rim.x[outermost]), float(rim.y[outermost])
    xs = start + side * np.arange(0.0, 40.0, 1.5)
    xs = xs[(xs > 2) & (xs < BAND[0] - 3)]
    ys = np.arange(hinge - TEMPLE_ABOVE, hinge + TEMPLE_BELOW, dtype=np.float64)
    x, y = np.meshgrid(xs, ys, indexing="ij")
    return best_path(seen, x, y, np.full(len(xs), np.pi / 2, np.float64), closed=False)


def _drawn(paths: tuple[Path, ...]) -> Pixels:
    mask = np.zeros((BAND[1], BAND[0]), np.uint8)
    for path in paths:
        lasting = path.lasting(max(FAINT, FADED * path.weakest(75)), LONGEST_GAP)
        for start, end in zip(lasting, np.roll(lasting, -1), strict=True):
            if not path.follows(int(start), int(end)):
                continue
            thick = max(1, round(2 * (float(path.half_width[[start, end]].mean()) + MARGIN)))
            ends = [(round(4 * float(path.x[at])), round(4 * float(path.y[at]))) for at in (start, end)]
            cv2.line(mask, ends[0], ends[1], 255, thick, cv2.LINE_8, 2)
    return mask
