"""Makes a face younger or older; experimental. The built-in ager changes what the photo shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from facefleet.engine.aging import detail as age_detail
from facefleet.engine.aging.shape import Axes, Moves, axes_of, lookup, window
from facefleet.engine.mesh import masks
from facefleet.engine.mesh.hair import brows_of, greyed, hair_of
from facefleet.engine.mesh.masks import Parts
from facefleet.engine.mesh.working import Working
from facefleet.engine.steps.blend import Overlay
from facefleet.engine.steps.practice import practice_portrait
from facefleet.engine.steps.region import Region, region_of
from facefleet.engine.types import Floats, Pixels, Portrait

WORKING_FACE = 160  # px, width of a face at which skin and hair are worked on
MASKS_FACE = 96  # px, at which they are found
MARGIN_YOUNGER, MARGIN_OLDER = 0.28, 0.6  # face widths round the face: for its shape; for its hair too


class Ager(Protocol):
    """Makes a face younger or older."""

    def age(self, portrait: Portrait, amount: float) -> Overlay:
        """The same face at another age, as pixels to lay over its photo.

        Args:
            portrait: Whose face, with its landmarks where it is now.
            amount: -1 (the youngest that stays credible) to 1 (the oldest).
        """

    def warm(self) -> None:
        """Do once what the first call would else wait for.

        Raises:
            ModelLoadFailed: The runtime cannot run the weights.
        """


class DetailAger:
    """No learned model: the photo's own lines, shadows, shape and hair, less or more of them."""

    def age(self, portrait: Portrait, amount: float) -> Overlay:
        """See ``Ager``."""
        landmarks = portrait.face.landmarks
        axes = axes_of(landmarks)
        region = _region(landmarks, axes, MARGIN_YOUNGER if amount < 0 else MARGIN_OLDER, portrait.pixels.shape)
        own = landmarks[:, :2] - np.array([region.x, region.y], np.float32)
        moves = Moves(own, amount)
        size = region.width, region.height
        moved = cv2.remap(
            region.of(portrait.pixels), *lookup(moves, size), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        working = Working.of(region, WORKING_FACE / axes.width)
        geometry = landmarks.copy()
        geometry[:, :2] += moves.at(own)
        points = working.points(geometry[:, :2])
        delta = np.round(_delta(working.shrunk(np.asarray(moved, np.uint8)), points, amount)).astype(np.int16)
        aged = cv2.add(moved, cv2.resize(delta, size, interpolation=cv2.INTER_LINEAR), dtype=cv2.CV_8U)
        return Overlay(region, np.asarray(aged, np.uint8), window(size))

    def warm(self) -> None:
        """See ``Ager``."""
        self.age(practice_portrait(), 1.0)


def _region(landmarks: Floats, axes: Axes, margin: float, shape: tuple[int, ...]) -> Region:
    grow = margin * axes.width
    low, high = landmarks[:, :2].min(axis=0) - grow, landmarks[:, :2].max(axis=0) + grow
    x0, y0 = np.clip(np.floor(low).astype(int), 0, (shape[1] - 1, shape[0] - 1))
    x1, y1 = np.clip(np.ceil(high).astype(int) + 1, (x0 + 1, y0 + 1), (shape[1], shape[0]))
    return Region(int(x0), int(y0), int(x1 - x0), int(y1 - y0))


def _delta(pixels: Pixels, points: Floats, amount: float) -> Floats:
    """``(h, w, 3)`` float32 BGR levels to add."""
    axes = axes_of(points)
    height, width = pixels.shape[:2]
    working = Working.of(Region(0, 0, width, height), MASKS_FACE / axes.width)
    masked = _MaskedFace.of(working.shrunk(pixels), working.points(points))
    lab = _to_lab(pixels)
    face = _face(points, pixels.shape)
    corner = np.array([face[1].start, face[0].start], np.float32)
    weight = working.grown(masked.skin)
    skin = age_detail.skin_of(lab[face], weight[face], points - corner, axes.width)
    change = np.zeros_like(lab)
    if amount > 0:
        hair, brows = working.grown(masked.hair()), working.grown(masked.brows())
        change += np.float32(amount) * greyed(lab, hair, brows, skin.mean, axes.width)
    change[face] += age_detail.younger(skin, -amount) if amount < 0 else age_detail.older(skin, amount)
    aged = cv2.cvtColor(lab + change, cv2.COLOR_LAB2BGR)
    return np.asarray(aged * 255 - pixels, np.float32)


def _face(points: Floats, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the face alone: what lies round it is only needed for its hair."""
    region = region_of(points, shape)
    return slice(region.y, region.y + region.height), slice(region.x, region.x + region.width)


@dataclass(frozen=True, slots=True, eq=False)
class _MaskedFace:
    """A face at the size of its masks."""

    lab: Floats
    points: Floats
    parts: Parts
    occlusion: Floats
    skin: Floats

    @classmethod
    def of(cls, pixels: Pixels, points: Floats) -> _MaskedFace:
        parts = masks.parts_of(points, (pixels.shape[1], pixels.shape[0]))
        occlusion = masks.find_occlusion(pixels, parts).mask
        features = masks.softened(parts.features, 0, 0.02 * parts.width + 0.3)
        skin = np.asarray(masks.feathered(parts.face, parts.width) * (1 - occlusion) * (1 - features), np.float32)
        return cls(_to_lab(pixels), points, parts, occlusion, skin)

    def hair(self) -> Floats:
        return hair_of(self.lab, self.points, self.parts, self.skin, self.occlusion, axes_of(self.points).down)

    def brows(self) -> Floats:
        return brows_of(self.lab[..., 0], self.points, self.parts, self.skin)


def _to_lab(pixels: Pixels) -> Floats:
    return np.asarray(cv2.cvtColor(np.asarray(pixels, np.float32) / np.float32(255), cv2.COLOR_BGR2LAB), np.float32)
