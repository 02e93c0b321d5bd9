"""The swapper: from two located faces to a layer for the target. One interface; the mesh swapper is the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from facefleet.engine.steps import colour, masks
from facefleet.engine.steps.align import Alignment, Mouth, align
from facefleet.engine.steps.blend import Layer
from facefleet.engine.steps.mesh import topology
from facefleet.engine.steps.warp import Region, Warped, region_of, warp
from facefleet.engine.types import Box, Face, Floats, Pixels, Pose

FEATURE_WEIGHT = 0.25  # of eyes, brows and lips in the measurement of light
WORKING_SIZE = 192  # px, long side of the region at which masks and colours are computed

Lap = Callable[[str], None]
"""Told the name of a step when it has ended."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face in its photo; ``pixels`` is ``(H, W, 3)`` uint8 BGR."""

    pixels: Pixels
    face: Face


def practice_portrait() -> Portrait:
    """The mean face on a grey photo of 256 × 256 px, to warm a swapper with: OpenCV fills its tables on first use."""
    side = 256
    points = topology().mean_shape
    landmarks = np.asarray((points - points.mean(axis=0)) * (0.6 * side / 1000) + side / 2, np.float32)
    face = Face(0, Box(0.0, 0.0, side, side), 1.0, Pose(0.0, 0.0, 0.0), landmarks)
    return Portrait(np.full((side, side, 3), 127, np.uint8), face)


class Swapper(Protocol):
    """Puts the identity of one face into another."""

    def swap(self, source: Portrait, target: Portrait, shape: float, lap: Lap) -> Layer:
        """The source's face as a layer over the target.

        Args:
            source: Whose face.
            target: Where to.
            shape: Share of the source's face shape, 0 to 1.
            lap: Called at the end of each step.
        """


class MeshSwapper:
    """No learned generator: the source's texture on the target's geometry, in the target's light."""

    def swap(self, source: Portrait, target: Portrait, shape: float, lap: Lap) -> Layer:
        """See ``Swapper``."""
        alignment = align(source.face, target.face, shape)
        lap("align")
        region = region_of(alignment.geometry, target.pixels.shape)
        warped = warp(source.pixels, alignment, region)
        lap("warp")
        layer = _fitted(warped, alignment, region, target)
        lap("colour")
        return layer


def _fitted(warped: Warped, alignment: Alignment, region: Region, target: Portrait) -> Layer:
    """Colours and mask at the working size, applied to the warped face at full size."""
    size = _working_size(region)
    small, below = _resized(warped.pixels, size), _resized(region.of(target.pixels), size)
    parts = masks.parts_of(_local(alignment.geometry, region, size), size)
    parts_below = masks.parts_of(_local(target.face.landmarks, region, size), size)
    over, under = masks.foreign(small, parts), masks.foreign(below, parts_below)
    skin = _skin_weight(np.maximum(over.mask, under.mask), parts)
    delta = colour.correction(
        small, below, skin, masks.softened(parts.features, 0, 0.02 * parts.width + 0.3), parts.width
    )
    bare = _bare_brows(over, parts_below)
    if bare.any():
        plain = colour.skin_light(below, skin * (parts_below.features == 0), parts.width)
        delta += bare[..., None] * (plain - small - delta)
    alpha = masks.feathered(parts.face, parts.width) * cv2.resize(warped.seen, size)
    alpha *= 1 - np.maximum(np.clip(over.mask - bare, 0, 1), under.mask)
    alpha *= 1 - _kept_mouth(parts_below, alignment.mouth)
    return Layer(region, _plus(warped.pixels, delta), _full(np.asarray(alpha, np.float32), region))


def _bare_brows(over: masks.Foreign, parts_below: masks.Parts) -> Floats:
    """Where the source's hair lies over the target's brow: bare skin goes there.

    The source's hair is left out and the target's brow must not come back as a second one.
    """
    if over.eyes_covered:  # then the target's eyes stay, and their brows with them
        return np.zeros_like(over.mask)
    brows = masks.softened(parts_below.features, 0.045 * parts_below.width, 0.02 * parts_below.width + 0.3)
    return np.asarray(np.clip(2 * over.mask - 0.2, 0, 1) * np.clip(2 * brows, 0, 1), np.float32)


def _working_size(region: Region) -> tuple[int, int]:
    scale = min(1.0, WORKING_SIZE / max(region.width, region.height))
    return max(1, round(region.width * scale)), max(1, round(region.height * scale))


def _skin_weight(foreign: Floats, parts: masks.Parts) -> Floats:
    """Where colour is measured: on skin; a little round the eyes too, or deep shadows there would come along."""
    return np.asarray((1 - foreign) * (parts.inner > 0) * np.where(parts.features > 0, FEATURE_WEIGHT, 1), np.float32)


def _kept_mouth(parts: masks.Parts, mouth: Mouth) -> Floats:
    if mouth is Mouth.SOURCE:
        return np.zeros(parts.mouth.shape, np.float32)
    if mouth is Mouth.INSIDE_KEPT:
        return masks.softened(parts.mouth, 0, 0.01 * parts.width + 0.3)
    return masks.softened(parts.lips, 0.03 * parts.width, 0.02 * parts.width + 0.3)


def _resized(image: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _local(points: Floats, region: Region, size: tuple[int, int]) -> Floats:
    ratio = np.array([size[0] / region.width, size[1] / region.height], np.float32)
    corner = np.array([region.x, region.y], np.float32)
    return np.asarray((points[:, :2] - corner + 0.5) * ratio - 0.5, np.float32)


def _plus(pixels: Pixels, delta: Floats) -> Pixels:
    height, width = pixels.shape[:2]
    levels = cv2.resize(np.round(delta).astype(np.int16), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(pixels, levels, dtype=cv2.CV_8U), np.uint8)


def _full(alpha: Floats, region: Region) -> Floats:
    return np.asarray(cv2.resize(alpha, (region.width, region.height), interpolation=cv2.INTER_LINEAR), np.float32)
