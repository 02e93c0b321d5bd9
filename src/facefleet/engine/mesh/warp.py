"""Draws the source's face in the target's geometry, by one lookup map for the whole mesh and one remap.

A map of the working size tells which triangle owns a pixel; its affine gives where to read. Drawing each triangle
with a warp of its own costs ten times as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from facefleet.engine.mesh.align import Alignment, signed_areas
from facefleet.engine.mesh.prepared import PreparedFace, rim
from facefleet.engine.mesh.raster import paint
from facefleet.engine.steps import topology
from facefleet.engine.steps.resample import shrunk
from facefleet.engine.types import LANDMARKS, Floats, Pixels

VISIBLE_LOW, VISIBLE_HIGH = 0.3, 0.65  # of the area to fill; with less, the texture is smeared or is an ear
WORTH_BORROWING = 0.002  # share of the region that the other half of the face must fill to be drawn


Places = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Where each pixel of the target is read in the source, at the target's working size.

    Attributes:
        own: Column and row, each ``(h, w)`` float32 px of the source's photo.
        other: The same on the other half of the source's face, or None where that is not needed.
        borrowed: ``(h, w)`` float32, share of ``other``.
        visible: ``(h, w)`` float32, 0 where neither half of the source's face has anything to show.
    """

    own: Places
    other: Places | None
    borrowed: Floats
    visible: Floats


def find_lookup(alignment: Alignment, target: PreparedFace, mirrored_where: Floats | None = None) -> Lookup:
    """Where each pixel of the target's region is read in the source.

    What the source's head hides (the far side of the nose, a cheek) is read from the other half of the face, and so is
    what the caller wants from there.

    Args:
        alignment: Where to read and where to write.
        target: The face to replace.
        mirrored_where: ``(h, w)`` float32, 1 where the other half is to be read all the same.
    """
    triangles = _triangles()
    read, write = (np.concatenate([points, rim(points)]) for points in (alignment.source, alignment.geometry))
    write[:, :2] = target.region.local(write, target.size)
    zoom = target.size[0] / target.region.width * alignment.scale  # px of the map per px of the source
    owner = _owners(write, triangles, target.size)
    mirrored = read[_mirror()]
    shown, filled = signed_areas(read, triangles), signed_areas(write, triangles) / zoom**2
    visible = _per_pixel(_visible(shown, filled, triangles), owner)
    other = _per_pixel(_visible(-signed_areas(mirrored, triangles), filled, triangles), owner)
    borrowed = np.asarray((1 - visible) * (other > visible) * other, np.float32)
    if mirrored_where is not None:
        borrowed = np.maximum(borrowed, mirrored_where * other)
    far_side = None
    if float(borrowed.mean()) > WORTH_BORROWING:
        far_side = _places(owner, _affines(write[:, :2], mirrored, triangles))
    own = _places(owner, _affines(write[:, :2], read, triangles))
    return Lookup(own, far_side, _smooth(borrowed), _smooth(np.maximum(visible, other)))


def drawn(image: Pixels, source: PreparedFace, lookup: Lookup, size: tuple[int, int]) -> Pixels:
    """The source's face in the target's place.

    Args:
        image: ``(h, w, 4)`` uint8 over the source's region, of any size; OpenCV reads three channels half as fast.
        source: Whose region that is.
        lookup: Where to read.
        size: Width and height of the result, over the target's region.
    """
    pixels = _read(image, source, lookup.own, size)
    if lookup.other is None:
        return pixels
    share = cv2.resize(lookup.borrowed, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.blendLinear(_read(image, source, lookup.other, size), pixels, share, 1 - share), np.uint8)


def patch_near(source: PreparedFace, scale: float) -> Pixels:
    """``(h, w, 4)`` uint8, the patch shrunk to about the target's scale: reading every third pixel would alias.

    Args:
        source: Whose patch.
        scale: Target px per source px.
    """
    scale = min(1.0, scale * 1.25)
    patch = source.patch
    if scale <= 0.8:
        size = max(1, round(source.region.width * scale)), max(1, round(source.region.height * scale))
        patch = shrunk(patch, size)
    return np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2BGRA), np.uint8)


def _read(image: Pixels, source: PreparedFace, places: Places, size: tuple[int, int]) -> Pixels:
    region, (height, width) = source.region, image.shape[:2]
    x = _scaled(places[0], width / region.width, region.x, size)
    y = _scaled(places[1], height / region.height, region.y, size)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _scaled(places: Floats, ratio: float, corner: int, size: tuple[int, int]) -> Floats:
    local = places * np.float32(ratio)
    local += np.float32((0.5 - corner) * ratio - 0.5)
    if size == (places.shape[1], places.shape[0]):
        return local
    return np.asarray(cv2.resize(local, size, interpolation=cv2.INTER_LINEAR), np.float32)


@cache
def _triangles() -> topology.Indices:
    """Those of the mesh and a strip from the oval to the rim."""
    oval, count = np.array(topology.OVAL, np.intp), len(topology.OVAL)
    outer = LANDMARKS + np.arange(count)
    following = np.roll(np.arange(count), -1)
    strip = [
        np.stack([oval, outer, oval[following]], axis=1),
        np.stack([outer, outer[following], oval[following]], axis=1),
    ]
    return np.concatenate([topology.topology().triangles, *strip])


def _owners(write: Floats, triangles: topology.Indices, size: tuple[int, int]) -> topology.Indices:
    """``(h, w)`` index of the nearest triangle, painted from far to near; -1 outside the topology."""
    # Triangles that face away are hidden by others wherever the surface is whole: they come first and fill gaps only.
    facing = signed_areas(write, triangles) > 0
    order = np.lexsort((-write[:, 2].take(triangles.T).sum(axis=0), facing))
    return paint(write, triangles, order, size)


def _affines(write: Floats, read: Floats, triangles: topology.Indices) -> Floats:
    """``(6, N + 1)`` affine of each triangle from target to source, row by row; the last is for pixels outside."""
    (ax, ay), (bx, by), (cx, cy) = (_corner(write, triangles, corner) for corner in range(3))
    bx, by, cx, cy = bx - ax, by - ay, cx - ax, cy - ay
    area = bx * cy - by * cx
    area = np.where(np.abs(area) < 1e-3, np.float32(1e-3), area)
    rows = []
    for p, q, r in zip(*(_corner(read, triangles, corner) for corner in range(3)), strict=True):
        q, r = (q - p) / area, (r - p) / area
        across, down = q * cy - r * by, r * bx - q * cx
        rows += [across, down, p - across * ax - down * ay]
    return np.concatenate([rows, _overall(write, read).reshape(6, 1)], axis=1)


def _corner(points: Floats, triangles: topology.Indices, corner: int) -> tuple[Floats, Floats]:
    """Column and row of one corner of every triangle."""
    at = points[triangles[:, corner]]
    return at[:, 0], at[:, 1]


def _overall(write: Floats, read: Floats) -> Floats:
    """The affine of the rim alone, which is all that lies next to pixels outside the topology."""
    ones = np.ones((len(write) - LANDMARKS, 1), np.float32)
    solution, *_ = np.linalg.lstsq(np.concatenate([write[LANDMARKS:], ones], axis=1), read[LANDMARKS:], rcond=None)
    return np.asarray(solution.T, np.float32)


def _places(owner: topology.Indices, affines: Floats) -> Places:
    rows, columns = owner.shape
    x = np.arange(columns, dtype=np.float32)
    y = np.arange(rows, dtype=np.float32)[:, None]
    a, b, c, d, e, f = (row.take(owner, mode="wrap") for row in affines)
    return a * x + b * y + c, d * x + e * y + f


@cache
def _mirror() -> topology.Indices:
    """The other side of every point, those of the rim included."""
    count = len(topology.OVAL)
    return np.concatenate([topology.topology().mirror, LANDMARKS + (-np.arange(count)) % count])


def _visible(shown: Floats, filled: Floats, triangles: topology.Indices) -> Floats:
    """How much the source has to show for each triangle: its area there over the area it has to fill; 0 to 1.

    Averaged over the triangles round each point, since one sliver says little.
    """
    count = int(triangles.max()) + 1
    around = [
        sum(np.bincount(triangles[:, corner], weights=area, minlength=count) for corner in range(3))
        for area in (np.maximum(shown, 0), np.abs(filled))
    ]
    share = np.asarray(around[0] / np.maximum(around[1], 1e-3), np.float32).take(triangles.T).mean(axis=0)
    return topology.smoothstep((share - VISIBLE_LOW) / (VISIBLE_HIGH - VISIBLE_LOW))


def _per_pixel(values: Floats, owner: topology.Indices) -> Floats:
    """The value of the triangle that owns each pixel; 1 outside the topology."""
    return np.append(values, np.float32(1)).take(owner, mode="wrap")


def _smooth(mask: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.02 * mask.shape[1] + 0.3), np.float32)
