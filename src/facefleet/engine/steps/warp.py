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
from facefleet.engine.types import Floats, Pixels

RIM = 1.12  # the mesh is continued outwards this far, so that its edge has something to interpolate towards
FACING_LOW, FACING_HIGH = 0.12, 0.4  # share of a triangle's frontal area that the source must show
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
        seen: ``(ceil(h / 2), ceil(w / 2))`` float32, 0 where the source's head hides what the target shows.
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

    Args:
        source: ``(H, W, 3)`` uint8 BGR.
        alignment: Where to read and where to write.
        region: Of the target.
    """
    patch, read = _patch(source, alignment)
    triangles, read, write = _continued(read, alignment.geometry)
    write = write - np.array([region.x, region.y, 0], np.float32)
    owner = _owners(write, triangles, region)
    x, y = _lookup(owner, _affines(write[:, :2], read, triangles), region)
    pixels = cv2.remap(patch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = np.append(_seen(read, triangles), np.float32(1))[owner]
    return Warped(np.asarray(pixels, np.uint8), np.asarray(seen, np.float32))


def _patch(source: Pixels, alignment: Alignment) -> tuple[Pixels, Floats]:
    """The source's face alone, shrunk by area to about the target's scale: reading every third pixel would alias."""
    region = region_of(_rim(alignment.source), source.shape)
    patch, scale = region.of(source), min(1.0, alignment.scale * 1.25)
    read = alignment.source - np.array([region.x, region.y], np.float32)
    if scale > 0.8:
        return patch, read
    size = max(1, round(region.width * scale)), max(1, round(region.height * scale))
    ratio = np.array([size[0] / region.width, size[1] / region.height], np.float32)
    small = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, np.asarray((read + 0.5) * ratio - 0.5, np.float32)


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
    """``(ceil(h / 2), ceil(w / 2))`` index of the nearest triangle; -1 outside the mesh.

    Pixel ``i`` of the half-size map has its centre at ``2 i + 0.5`` of the full one.
    """
    owner = np.full(((region.height + 1) // 2, (region.width + 1) // 2), -1, np.int32)
    half = (write[:, :2] - 0.5) / 2
    corners = np.round(half * (1 << _FIXED_POINT)).astype(np.int32)[triangles]
    far_to_near = np.argsort(-write[triangles, 2].mean(axis=1), kind="stable")
    for index in far_to_near.tolist():
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


def _seen(read: Floats, triangles: mesh.Indices) -> Floats:
    """How much of each triangle the source shows, against what a frontal view would show; 0 to 1."""
    mean = mesh.topology().mean_shape[:, :2]
    mean = np.concatenate([mean, _rim(mean)])
    frontal = np.abs(signed_areas(mean, triangles))
    shown = signed_areas(read, triangles)
    shown = shown * (frontal[: len(mesh.topology().triangles)].sum() / max(float(np.abs(shown).sum()), 1e-6))
    share = (shown / np.maximum(frontal, 40.0) - FACING_LOW) / (FACING_HIGH - FACING_LOW)
    return mesh.smoothstep(np.asarray(share, np.float32))
