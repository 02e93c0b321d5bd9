"""The swapper: from two located faces to a layer for the target. One interface; the mesh swapper is the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from facefleet.engine.steps import colour, masks
from facefleet.engine.steps.align import Alignment, align
from facefleet.engine.steps.blend import Layer
from facefleet.engine.steps.warp import Region, Warped, region_of, warp
from facefleet.engine.types import Face, Floats, Pixels

WORKING_SIZE = 192  # px, long side of the region at which masks and colours are computed

Lap = Callable[[str], None]
"""Told the name of a step when it has ended."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face in its photo; ``pixels`` is ``(H, W, 3)`` uint8 BGR."""

    pixels: Pixels
    face: Face


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
    below = region.of(target.pixels)
    scale = min(1.0, WORKING_SIZE / max(region.width, region.height))
    size = max(1, round(region.width * scale)), max(1, round(region.height * scale))
    small, small_below = _resized(warped.pixels, size), _resized(below, size)
    parts = masks.regions(_local(alignment.geometry, region, size), size)
    lab, lab_below = colour.to_lab(small), colour.to_lab(small_below)
    kept = 1 - np.maximum(masks.outliers(lab, parts), masks.outliers(lab_below, parts))
    skin = np.asarray(kept * (parts.skin > 0), np.float32)
    delta = colour.correction(small, lab, lab_below, skin, parts.width)
    alpha = masks.feathered(parts.face, parts.width) * kept * cv2.resize(warped.seen, size)
    if alignment.keep_mouth:
        alpha *= 1 - _soft(parts.mouth, parts.width)
    return Layer(region, _plus(warped.pixels, delta), _full(np.asarray(alpha, np.float32), region))


def _resized(image: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _local(points: Floats, region: Region, size: tuple[int, int]) -> Floats:
    ratio = np.array([size[0] / region.width, size[1] / region.height], np.float32)
    corner = np.array([region.x, region.y], np.float32)
    return np.asarray((points[:, :2] - corner + 0.5) * ratio - 0.5, np.float32)


def _soft(mask: Pixels, width: float) -> Floats:
    return np.asarray(
        cv2.GaussianBlur(np.asarray(mask, np.float32) / np.float32(255), (0, 0), 0.01 * width + 0.3), np.float32
    )


def _plus(pixels: Pixels, delta: Floats) -> Pixels:
    height, width = pixels.shape[:2]
    levels = cv2.resize(np.round(delta).astype(np.int16), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(pixels, levels, dtype=cv2.CV_8U), np.uint8)


def _full(alpha: Floats, region: Region) -> Floats:
    return np.asarray(cv2.resize(alpha, (region.width, region.height), interpolation=cv2.INTER_LINEAR), np.float32)
