"""The source's face drawn in the target's geometry: one lookup map for the whole mesh and one remap.

A map of half the resolution tells which triangle owns a pixel; its affine gives where to read. Drawing each triangle
with a warp of its own costs ten times as much.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps import mesh
from facefleet.engine.steps.align import Alignment, signed_areas
from facefleet.engine.types import LANDMARKS, Floats, Pixels

RIM = 1.12  # the mesh is continued outwards this far, so that its edge has something to interpolate towards
SEEN_LOW, SEEN_HIGH = 0.3, 0.65  # of the area to fill; with less, the texture is smeared or is an ear
WORTH_BORROWING = 0.002  # share of the region that the other half of the face must fill to be drawn
_FIXED_POINT = 4  # fraction bits of the rasteriser


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the target, px, inside the image."""

    x: int
    y: int
    width: int
    height: int

    def of(self, image: Pixels) -> Pixels:
        """The view of an image; writing to it writes to the image."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True, slots=True, eq=False)
class Warped:
    """The source's face in place.

    Attributes:
        pixels: ``(h, w, 3)`` uint8 BGR of the region.
        seen: ``(ceil(h / 2), ceil(w / 2))`` float32, 0 where neither half of the source's face has anything to show.
    """

    pixels: Pixels
    seen: Floats


def region_of(geometry: Floats, shape: tuple[int, ...]) -> Region:
    """The part of the target that a face can touch.

    Args:
        geometry: ``(N, 2+)`` px.
        shape: Of the target image.
    """
    xy = geometry[:, :2]
    low, high = xy.min(axis=0), xy.max(axis=0)
    x0, y0 = np.clip(np.floor(low).astype(int) - 2, 0, (shape[1] - 1, shape[0] - 1))
    x1, y1 = np.clip(np.ceil(high).astype(int) + 3, (x0 + 1, y0 + 1), (shape[1], shape[0]))
    return Region(int(x0), int(y0), int(x1 - x0), int(y1 - y0))


def warp(source: Pixels, alignment: Alignment, region: Region) -> Warped:
    """Draw the source's face into a region of the target.

    What the source's head hides (the far side of the nose, a cheek) is read from the other half of the face.

    Args:
        source: ``(H, W, 3)`` uint8 BGR.
        alignment: Where to read and where to write.
        region: Of the target.
    """
    patch, read, scale = _patch(source, alignment)
    triangles, read, write = _continued(read, alignment.geometry)
    write = write - np.array([region.x, region.y, 0], np.float32)
    owner = _owners(write, triangles, region)
    mirrored = read[_mirror()]
    shown, filled = signed_areas(read, triangles), signed_areas(write, triangles) / scale**2
    seen = _per_pixel(_seen(shown, filled, triangles), owner)
    other = _per_pixel(_seen(-signed_areas(mirrored, triangles), filled, triangles), owner)
    borrowed = np.asarray((1 - seen) * (other > seen) * other, np.float32)
    pixels = _drawn(patch, read, write, triangles, owner, region)
    if float(borrowed.mean()) > WORTH_BORROWING:
        far_side = _drawn(patch, mirrored, write, triangles, owner, region)
        share = cv2.resize(_smooth(borrowed), (region.width, region.height), interpolation=cv2.INTER_LINEAR)
        pixels = np.asarray(cv2.blendLinear(far_side, pixels, share, 1 - share), np.uint8)
    return Warped(pixels, _smooth(np.maximum(seen, other)))


def _drawn(
    patch: Pixels, read: Floats, write: Floats, triangles: mesh.Indices, owner: mesh.Indices, region: Region
) -> Pixels:
    x, y = _lookup(owner, _affines(write[:, :2], read, triangles), region)
    return np.asarray(cv2.remap(patch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _patch(source: Pixels, alignment: Alignment) -> tuple[Pixels, Floats, float]:
    """The source's face alone, its mesh and target px per px of it.

    It is shrunk by area to about the target's scale, since reading every third pixel would alias.
    """
    region = region_of(_rim(alignment.source), source.shape)
    patch, scale = region.of(source), min(1.0, alignment.scale * 1.25)
    read = alignment.source - np.array([region.x, region.y], np.float32)
    if scale > 0.8:
        return patch, read, alignment.scale
    size = max(1, round(region.width * scale)), max(1, round(region.height * scale))
    ratio = np.array([size[0] / region.width, size[1] / region.height], np.float32)
    small = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, np.asarray((read + 0.5) * ratio - 0.5, np.float32), alignment.scale / scale


def _rim(points: Floats) -> Floats:
    """The oval continued outwards from the middle of the face."""
    oval = points[list(mesh.OVAL)]
    middle = oval.mean(axis=0)
    return np.asarray(middle + RIM * (oval - middle), np.float32)


def _continued(read: Floats, write: Floats) -> tuple[mesh.Indices, Floats, Floats]:
    oval, count = np.array(mesh.OVAL, np.intp), len(mesh.OVAL)
    rim = len(read) + np.arange(count)
    following = np.roll(np.arange(count), -1)
    strip = np.concatenate(
        [np.stack([oval, rim, oval[following]], axis=1), np.stack([rim, rim[following], oval[following]], axis=1)]
    )
    triangles = np.concatenate([mesh.topology().triangles, strip])
    return triangles, np.concatenate([read, _rim(read)]), np.concatenate([write, _rim(write)])


def _owners(write: Floats, triangles: mesh.Indices, region: Region) -> mesh.Indices:
    """``(ceil(h / 2), ceil(w / 2))`` index of the nearest triangle, painted from far to near; -1 outside the mesh.

    Pixel ``i`` of the half-size map has its centre at ``2 i + 0.5`` of the full one.
    """
    owner = np.full(((region.height + 1) // 2, (region.width + 1) // 2), -1, np.int32)
    half = (write[:, :2] - 0.5) / 2
    corners = np.round(half * (1 << _FIXED_POINT)).astype(np.int32)[triangles]
    # Triangles that face away are hidden by others wherever the surface is whole: they come first and fill gaps only.
    facing = signed_areas(write, triangles) > 0
    order = np.lexsort((-write[triangles, 2].mean(axis=1), facing))
    for index in order.tolist():
        cv2.fillConvexPoly(owner, corners[index], index, cv2.LINE_8, _FIXED_POINT)
    return owner.astype(np.intp)


def _affines(write: Floats, read: Floats, triangles: mesh.Indices) -> Floats:
    """``(N + 1, 2, 3)`` affine of each triangle from target to source; the last one is for pixels outside the mesh."""
    a, b, c = (write[triangles[:, i]] for i in range(3))
    p, q, r = (read[triangles[:, i]] for i in range(3))
    basis = np.stack([b - a, c - a], axis=2)
    area = basis[:, 0, 0] * basis[:, 1, 1] - basis[:, 0, 1] * basis[:, 1, 0]
    area = np.where(np.abs(area) < 1e-3, np.float32(1e-3), area)
    inverse = np.stack([basis[:, 1, 1], -basis[:, 0, 1], -basis[:, 1, 0], basis[:, 0, 0]], axis=1).reshape(-1, 2, 2)
    linear = np.stack([q - p, r - p], axis=2) @ (inverse / area[:, None, None])
    shift = p - np.einsum("nij,nj->ni", linear, a)
    table = np.concatenate([linear, shift[:, :, None]], axis=2)
    return np.concatenate([table, _overall(write, read)[None]]).astype(np.float32)


def _overall(write: Floats, read: Floats) -> Floats:
    ones = np.ones((len(write), 1), np.float32)
    solution, *_ = np.linalg.lstsq(np.concatenate([write, ones], axis=1), read, rcond=None)
    return np.asarray(solution.T, np.float32)


def _lookup(owner: mesh.Indices, affines: Floats, region: Region) -> tuple[Floats, Floats]:
    """Two ``(h, w)`` float32: column and row of the source's patch where each pixel of the region is read."""
    rows, columns = owner.shape
    x = (np.arange(columns, dtype=np.float32) * 2 + 0.5)[None, :, None]
    y = (np.arange(rows, dtype=np.float32) * 2 + 0.5)[:, None, None]
    table = affines[owner]
    half = table[..., 0] * x + table[..., 1] * y + table[..., 2]
    full = cv2.resize(half, (2 * columns, 2 * rows), interpolation=cv2.INTER_LINEAR)[: region.height, : region.width]
    return np.ascontiguousarray(full[..., 0], np.float32), np.ascontiguousarray(full[..., 1], np.float32)


def _mirror() -> mesh.Indices:
    """The other side of every point, those of the rim included."""
    count = len(mesh.OVAL)
    return np.concatenate([mesh.topology().mirror, LANDMARKS + (-np.arange(count)) % count])


def _seen(shown: Floats, filled: Floats, triangles: mesh.Indices) -> Floats:
    """How much the source has to show for each triangle: its area there over the area it has to fill; 0 to 1.

    Averaged over the triangles round each point, since one sliver says little.
    """
    count = int(triangles.max()) + 1
    around = [
        sum(np.bincount(triangles[:, corner], weights=area, minlength=count) for corner in range(3))
        for area in (np.maximum(shown, 0), np.abs(filled))
    ]
    share = np.asarray(around[0] / np.maximum(around[1], 1e-3), np.float32)[triangles].mean(axis=1)
    return mesh.smoothstep((share - SEEN_LOW) / (SEEN_HIGH - SEEN_LOW))


def _per_pixel(values: Floats, owner: mesh.Indices) -> Floats:
    """The value of the triangle that owns each pixel; 1 outside the mesh."""
    return np.asarray(np.append(values, np.float32(1))[owner], np.float32)


def _smooth(mask: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.02 * mask.shape[1] + 0.3), np.float32)
