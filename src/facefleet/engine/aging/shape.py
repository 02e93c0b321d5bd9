"""Changes the age of a face's shape by a smooth field of moves round anatomical points, fading to none."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps import topology
from facefleet.engine.types import Floats

GRID = 40  # px, long side of the grid the field is computed on; it has no detail
_EYES = ((33, 133), (263, 362))
_MOUTH_LINE = (61, 291)


@dataclass(frozen=True, slots=True)
class Pull:
    """Skin that moves together.

    Attributes:
        point: Of the subject's right side; its mirror moves likewise.
        out: Away from the middle of the face, face widths.
        down: Towards the chin, face widths.
        reach: Sigma of the fade, face widths.
    """

    point: int
    out: float
    down: float
    reach: float


# At the strongest credible age. Fat leaves the cheeks and the jowls sink; the brows come down on the outside.
OLDER = (
    Pull(205, 0.0, 0.012, 0.09),
    Pull(172, 0.010, 0.014, 0.10),
    Pull(150, 0.008, 0.016, 0.08),
    Pull(187, -0.008, 0.006, 0.09),
    Pull(61, 0.0, 0.009, 0.05),
    Pull(70, 0.0, 0.010, 0.08),
    Pull(1, 0.0, 0.008, 0.07),
)
# Full cheeks, a rounder and shorter lower face.
YOUNGER = (
    Pull(205, 0.004, -0.008, 0.10),
    Pull(187, 0.012, -0.004, 0.10),
    Pull(172, -0.006, -0.010, 0.10),
    Pull(152, 0.0, -0.016, 0.12),
    Pull(61, 0.0, -0.006, 0.05),
    Pull(70, 0.0, -0.006, 0.08),
)
EYES_GROW, EYES_REACH = 0.05, 0.13  # share of their size when younger; face widths
LIPS_FILL, LIPS_THIN, LIPS_REACH = 0.07, 0.10, 0.09  # share of their height; face widths


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """A face's own axes in the image, px.

    Attributes:
        across: ``(2,)``: one face width to the subject's left; short where the head is turned.
        down: ``(2,)``: one face width towards the chin.
        width: Length of a face width that is not foreshortened.
    """

    across: Floats
    down: Floats
    width: float


def axes_of(points: Floats) -> Axes:
    """The axes of a face.

    Args:
        points: ``(468, 2+)`` px.
    """
    mean = topology.topology().mean_shape
    xy = points[:, :2]
    across = xy[topology.CHEEKS[1]] - xy[topology.CHEEKS[0]]
    height = float(mean[topology.CHIN, 1] - mean[topology.FOREHEAD, 1]) / 1000
    down = (xy[topology.CHIN] - xy[topology.FOREHEAD]) / np.float32(height)
    width = max(float(np.linalg.norm(across)), float(np.linalg.norm(down)), 1.0)
    return Axes(np.asarray(across, np.float32), np.asarray(down, np.float32), width)


class Moves:
    """Where the skin of one face goes.

    Args:
        points: ``(468, 2+)`` px of the region.
        amount: -1 to 1.
    """

    def __init__(self, points: Floats, amount: float) -> None:
        self._axes = axes_of(points)
        self._points = np.asarray(points[:, :2], np.float32)
        self._amount = amount

    def at(self, places: Floats) -> Floats:
        """``(..., 2)`` px that each place moves.

        Args:
            places: ``(..., 2)`` px.
        """
        moves = np.zeros_like(places)
        for pull in YOUNGER if self._amount < 0 else OLDER:
            self._pull(moves, places, pull)
        if self._amount < 0:
            for eye in _EYES:
                self._grow(moves, places, self._points[list(eye)].mean(axis=0))
        self._fill_lips(moves, places)
        return np.asarray(moves * np.float32(abs(self._amount)), np.float32)

    def _pull(self, moves: Floats, places: Floats, pull: Pull) -> None:
        other = int(topology.topology().mirror[pull.point])
        sides = ((pull.point, -1.0), (other, 1.0)) if other != pull.point else ((pull.point, 0.0),)
        for point, side in sides:
            move = side * pull.out * self._axes.across + pull.down * self._axes.down
            moves += self._weight(places - self._points[point], pull.reach)[..., None] * move

    def _grow(self, moves: Floats, places: Floats, centre: Floats) -> None:
        away = places - centre
        moves += EYES_GROW * self._weight(away, EYES_REACH)[..., None] * away

    def _fill_lips(self, moves: Floats, places: Floats) -> None:
        """Stretch or squeeze the lips across their line."""
        middle = self._points[list(_MOUTH_LINE + topology.MOUTH_MIDDLE)].mean(axis=0)
        share = LIPS_FILL if self._amount < 0 else -LIPS_THIN
        along = self._axes.down / max(float(np.linalg.norm(self._axes.down)), 1e-6)
        away = places - middle
        moves += share * (self._weight(away, LIPS_REACH) * (away @ along))[..., None] * along

    def _weight(self, away: Floats, reach: float) -> Floats:
        squared = (away**2).sum(axis=-1) / np.float32((reach * self._axes.width) ** 2)
        return np.asarray(np.exp(-0.5 * squared), np.float32)


def lookup(moves: Moves, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Two ``(h, w)`` float32: column and row where each pixel of a region is read.

    The moves fade to exactly 0 at the region's edge; they are small beside the distance over which they change, so
    reading at the place less its own move undoes them to a fraction of a pixel.

    Args:
        moves: Of the face.
        size: Width and height of the region, px.
    """
    width, height = size
    step = max(1.0, max(size) / GRID)
    columns, rows = max(2, round(width / step)), max(2, round(height / step))
    x = (np.arange(columns, dtype=np.float32) + 0.5) * np.float32(width / columns) - 0.5
    y = (np.arange(rows, dtype=np.float32) + 0.5) * np.float32(height / rows) - 0.5
    field = moves.at(np.dstack(np.meshgrid(x, y))) * window((columns, rows))[..., None]
    full = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)
    own_x, own_y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(own_x - full[..., 0], np.float32), np.asarray(own_y - full[..., 1], np.float32)


def window(size: tuple[int, int]) -> Floats:
    """``(h, w)`` float32: 1 inside, falling smoothly to 0 at the outermost pixels of a region."""
    rows, columns = (_ramp(length) for length in (size[1], size[0]))
    return np.asarray(rows[:, None] * columns[None], np.float32)


def _ramp(length: int) -> Floats:
    from_edge = np.minimum(np.arange(length), np.arange(length)[::-1]).astype(np.float32)
    return topology.smoothstep(from_edge / max(1.0, 0.1 * length))
