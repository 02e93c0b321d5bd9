"""Paints many small triangles into one map, by rows and all at once: a call for each takes twice as long.

triangle ─► spans, one for each row it touches ─► pixels ─► map
"""

from __future__ import annotations

import numpy as np

from facefleet.engine.steps.topology import Indices
from facefleet.engine.types import Floats


def paint(points: Floats, triangles: Indices, order: Indices, size: tuple[int, int]) -> Indices:
    """``(h, w)`` index of the triangle painted last over each pixel; -1 where there is none.

    A triangle reaches half a pixel beyond its ends in every row: neighbours and slivers leave no gaps.

    Args:
        points: ``(N, 2+)`` px.
        triangles: ``(M, 3)``.
        order: ``(M,)``, the triangles from the first to the last painted.
        size: Width and height of the map.
    """
    width, height = size
    x, y = _from_top(points, triangles[order])
    top, below = _whole(y[0], height), _whole(y[2] + 1, height)
    span, step = _repeated(below - top)
    row = top[span] + step
    left, right = _ends(x, y, span, row)
    start, stop = _whole(left, width), _whole(right + 1, width)
    pixel, step = _repeated(stop - start)
    owners = np.full(width * height, -1, np.intp)
    # Of several values for one place NumPy keeps the last.
    owners[(row * width + start)[pixel] + step] = order[span][pixel]
    return owners.reshape(height, width)


def _from_top(points: Floats, triangles: Indices) -> tuple[Floats, Floats]:
    """Columns and rows, each ``(3, M)``, of the highest, the middle and the lowest corner."""
    x, y = (np.ascontiguousarray(points[:, axis])[triangles.T] for axis in range(2))
    downwards = np.argsort(y, axis=0)
    return np.take_along_axis(x, downwards, 0), np.take_along_axis(y, downwards, 0)


def _ends(x: Floats, y: Floats, span: Indices, row: Indices) -> tuple[Floats, Floats]:
    """The least and the greatest column that the triangle of each span has in its row."""
    slope = [(x[b] - x[a]) / np.maximum(y[b] - y[a], np.float32(1e-3)) for a, b in ((0, 2), (0, 1), (1, 2))]
    top, middle, bottom = (each[span] for each in y)
    # Rows are taken from where corners were rounded to: up to half a pixel outside.
    at = np.clip(np.asarray(row, np.float32), top, bottom)
    upper = at < middle
    long = x[0][span] + (at - top) * slope[0][span]
    short = np.where(
        upper,
        x[0][span] + (at - top) * slope[1][span],
        x[1][span] + (at - middle) * slope[2][span],
    )
    return np.minimum(long, short), np.maximum(long, short)


def _whole(values: Floats, end: int) -> Indices:
    """Rounded, and kept from 0 to the end."""
    return np.clip(np.rint(values), 0, end).astype(np.intp)


def _repeated(counts: Indices) -> tuple[Indices, Indices]:
    """For every one of so many copies: of which it is one, and how many of that came before."""
    counts = np.maximum(counts, 0)
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
