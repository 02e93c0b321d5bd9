"""What one face tells by itself, whoever it is fused with: its pixels, parts and skin. May be kept between fusions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps import colour, masks, mesh
from facefleet.engine.steps.grain import Grain, grain_of
from facefleet.engine.steps.redeye import without_red_eyes
from facefleet.engine.steps.region import Region, region_of
from facefleet.engine.types import Face, Floats, Pixels

WORKING_SIZE = 160  # px, long side of the region at which masks and colours are computed
RIM = 1.12  # the mesh is continued outwards this far, so that its edge has something to interpolate towards


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face in its photo; ``pixels`` is ``(H, W, 3)`` uint8 BGR."""

    pixels: Pixels
    face: Face


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A face made ready to give or to take; holds no reference to the photo.

    Attributes:
        face: Where it is in the photo.
        region: Of the photo, the face with its rim.
        patch: ``(region.height, region.width, 3)`` uint8 BGR, a copy.
        small: ``(h, w, 3)`` uint8 BGR, the patch at the working size.
        parts: Of ``small``.
        foreign: What is not skin in ``small``.
        grey: Whether the photo is black and white.
        grain: How sharp and noisy the patch is.
    """

    face: Face
    region: Region
    patch: Pixels
    small: Pixels
    parts: masks.Parts
    foreign: masks.Foreign
    grey: bool
    grain: Grain

    @property
    def nbytes(self) -> int:
        """Bytes held, for a cache with a bound."""
        return self.patch.nbytes + 12 * self.small.nbytes // 3

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of ``small``."""
        return self.small.shape[1], self.small.shape[0]


def prepare(portrait: Portrait) -> Prepared:
    """All that depends on one photo alone."""
    face = portrait.face
    region = region_of(rim(face.landmarks[:, :2]), portrait.pixels.shape)
    patch = np.array(region.of(portrait.pixels))
    local = region.local(face.landmarks, (region.width, region.height))
    without_red_eyes(patch, local)
    scale = min(1.0, WORKING_SIZE / max(region.width, region.height))
    size = max(1, round(region.width * scale)), max(1, round(region.height * scale))
    small = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA), np.uint8)
    parts = masks.parts_of(region.local(face.landmarks, size), size)
    foreign, grey = masks.foreign(small, parts), colour.is_grey(small, parts.core)
    return Prepared(face, region, patch, small, parts, foreign, grey, grain_of(patch, local))


def rim(points: Floats) -> Floats:
    """The oval continued outwards from the middle of the face."""
    oval = points[list(mesh.OVAL)]
    middle = oval.mean(axis=0)
    return np.asarray(middle + RIM * (oval - middle), np.float32)
