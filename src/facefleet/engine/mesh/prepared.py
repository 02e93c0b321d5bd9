"""What one face tells by itself, whoever it is fused with: its pixels, parts and skin. May be kept between fusions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.codec.profile import to_srgb
from facefleet.engine.mesh import colour, masks
from facefleet.engine.mesh.glasses import Glasses, find_glasses
from facefleet.engine.mesh.grain import Grain, grain_of
from facefleet.engine.mesh.redeye import without_red_eyes
from facefleet.engine.steps import topology
from facefleet.engine.steps.region import Region, region_of
from facefleet.engine.steps.resample import shrunk
from facefleet.engine.types import Face, Floats, Pixels

WORKING_SIZE = 144  # px, long side of the region at which masks and colours are computed
FEATURE_WEIGHT = 0.25  # of eyes, brows and lips in the measurement of light
RIM = 1.12  # the mesh is continued outwards this far, so that its edge has something to interpolate towards


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face in its photo.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 BGR.
        profile: ICC profile that they follow; none for sRGB.
    """

    pixels: Pixels
    face: Face
    profile: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A face made ready to give or to take; holds no reference to the photo.

    Attributes:
        face: Where it is in the photo.
        region: Of the photo, the face with its rim.
        patch: ``(region.height, region.width, 3)`` uint8 BGR, a copy.
        small: ``(h, w, 3)`` uint8 BGR, the patch at the working size.
        sheet: ``(h, w, 4)`` uint8, ``small`` and beside it, 0 to 255, what is not skin and its shadow.
        parts: Of ``small``.
        foreign: What is not skin in ``small``.
        room: ``(h, w)`` float32, how far another face may cover this one.
        counted: ``(h, w)`` float32, weight of each pixel in the measurement of light.
        grey: Whether the photo is black and white.
        grain: How sharp and noisy the patch is.
        glasses: The frame of clear glasses; sunglasses are foreign.
    """

    face: Face
    region: Region
    patch: Pixels
    small: Pixels
    sheet: Pixels
    parts: masks.Parts
    foreign: masks.Foreign
    room: Floats
    counted: Floats
    grey: bool
    grain: Grain
    glasses: Glasses | None

    @property
    def nbytes(self) -> int:
        """Bytes held, for a cache with a bound."""
        weights = (self.foreign.mask, self.room, self.counted)
        arrays = (self.patch, self.small, self.sheet, self.face.landmarks, *weights)
        held = sum(int(each.nbytes) for each in arrays) + self.parts.nbytes
        return held + (self.glasses.nbytes if self.glasses else 0)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of ``small``."""
        return self.small.shape[1], self.small.shape[0]


def prepare(portrait: Portrait, *, below: bool = True) -> Prepared:
    """All that depends on one photo alone; a face that only gives need not be searched for glasses."""
    face = portrait.face
    region = region_of(rim(face.landmarks[:, :2]), portrait.pixels.shape)
    patch = np.array(region.of(portrait.pixels))
    if portrait.profile is not None:
        to_srgb(patch, portrait.profile, grey=False)
    local = region.local(face.landmarks, (region.width, region.height))
    without_red_eyes(patch, local)
    scale = min(1.0, WORKING_SIZE / max(region.width, region.height))
    size = max(1, round(region.width * scale)), max(1, round(region.height * scale))
    small = shrunk(patch, size)
    parts = masks.parts_of(region.local(face.landmarks, size), size)
    foreign, grey = masks.foreign(small, parts), colour.is_grey(small, parts.core)
    sheet = np.asarray(cv2.merge([small, masks.with_shadow(np.asarray(foreign.mask * 255, np.uint8), parts)]), np.uint8)
    return Prepared(
        face,
        region,
        patch,
        small,
        sheet,
        parts,
        foreign,
        masks.feathered(parts.face, parts.width),
        _counted(parts),
        grey,
        grain_of(patch, local),
        None
        if foreign.eyes_covered
        or foreign.mask_worn
        or not below  # the edge of a mask crosses the nose as a bridge does
        else find_glasses(patch, np.column_stack([local, face.landmarks[:, 2]])),
    )


def _counted(parts: masks.Parts) -> Floats:
    """On skin; a little round the eyes too, or deep shadows there would come along."""
    return np.asarray((parts.inner > 0) * np.where(parts.features > 0, FEATURE_WEIGHT, 1), np.float32)


def rim(points: Floats) -> Floats:
    """The oval continued outwards from the middle of the face."""
    oval = points[list(topology.OVAL)]
    middle = oval.mean(axis=0)
    return np.asarray(middle + RIM * (oval - middle), np.float32)
