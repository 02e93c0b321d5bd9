"""Divides a photo into the squares that the detector looks at: all of it, all with a border, overlapping tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PAD_SHARE = 0.5  # of the long side, added around a tight head shot
COARSE_TILE_MIN_SIDE = 320  # px; smaller tiles show nothing that larger ones do not
COARSE_TILE_LEVELS = (2, 4)  # tiles along the long side, without their overlap
COARSE_TILE_OVERLAP = 1 / 3  # of a tile, at least
FINE_TILE_SIDE = 448  # px of the smallest tiles; each level above has tiles twice as large
FINE_TILE_OVERLAP = (
    0.22  # 100 px of the smallest: a face that the level above would see too small, and what is around it
)

FACE_SHARE = 34 / FINE_TILE_SIDE  # of a view's side: the smallest face that is found in it reliably


@dataclass(frozen=True, slots=True)
class View:
    """A square part of the image, px; parts outside the image read as black."""

    x: float
    y: float
    side: float


def whole(width: int, height: int) -> View:
    """The smallest square that holds the image, which lies in its middle."""
    side = float(max(height, width))
    return View((width - side) / 2, (height - side) / 2, side)


def padded(width: int, height: int) -> View:
    """The same with a border, in which a tight head shot is small enough."""
    view = whole(width, height)
    pad = PAD_SHARE * view.side
    return View(view.x - pad, view.y - pad, view.side + 2 * pad)


def coarse_levels(width: int, height: int) -> list[list[View]]:
    """Tiles of a half, then of a quarter of the long side."""
    side = float(max(height, width))
    return [
        _tiles(width, height, side / level, COARSE_TILE_OVERLAP)
        for level in COARSE_TILE_LEVELS
        if side / level >= COARSE_TILE_MIN_SIDE
    ]


def fine_tiles(width: int, height: int) -> list[View]:
    """Tiles of 448 px, of twice that and so on, as long as they are smaller than the image."""
    views: list[View] = []
    side = float(FINE_TILE_SIDE)
    while side < max(width, height):
        views += _tiles(width, height, side, FINE_TILE_OVERLAP)
        side *= 2
    return views


def smallest_sought(width: int, height: int, *, tiles: bool, found: bool) -> float:
    """Short side, px, of the smallest face that the detector has looked for; it may have seen smaller ones by chance.

    Args:
        width: Of the photo, px.
        height: Of the photo, px.
        tiles: As of ``passes``.
        found: There was a face, so that the passes over tiles may have been left out.
    """
    side = float(max(width, height))
    if tiles:
        side = min(side, FINE_TILE_SIDE)
    elif not found:
        side = min([side, *(tiles[0].side for tiles in coarse_levels(width, height))])
    return FACE_SHARE * side


def _tiles(width: int, height: int, side: float, overlap: float) -> list[View]:
    return [View(x, y, side) for y in _starts(height, side, overlap) for x in _starts(width, side, overlap)]


def _starts(length: int, side: float, overlap: float) -> list[float]:
    if length <= side:
        return [(length - side) / 2]
    count = int(np.ceil((length - side) / (side * (1 - overlap)))) + 1
    return [float(at) for at in np.linspace(0, length - side, count)]
