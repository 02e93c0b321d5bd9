"""The swapper: from two prepared faces to a layer for the target. One interface; the mesh swapper is the first.

The seam between what may be kept and what may not: ``prepare`` takes all it can from one photo and forgets the photo,
so its result serves any number of fusions, as source or as target, from any thread. ``swap`` does the rest and changes
neither of the two.

    source photo, face ─► prepare ─┐
    target photo, face ─► prepare ─┴► swap(shape) ─► Layer ─► blend(canvas, layer, strength)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from facefleet.engine.mesh import colour, grain, masks
from facefleet.engine.mesh.align import Alignment, Mouth, align
from facefleet.engine.mesh.prepared import Portrait, Prepared, prepare
from facefleet.engine.mesh.warp import Lookup, drawn, lookup, patch_near
from facefleet.engine.steps.blend import Layer
from facefleet.engine.steps.topology import topology
from facefleet.engine.types import Box, Face, Floats, Pixels, Pose

BROW_MARGIN = 0.05  # face widths round a brow that comes from the other side
HAIR_EDGE = 1.4  # the soft edge of the source's hair is half hair: it counts for more than it covers

Lap = Callable[[str], None]
"""Told the name of a step when it has ended."""


def practice_portrait() -> Portrait:
    """The mean face on a grey photo of 256 × 256 px, to warm a swapper with: OpenCV fills its tables on first use."""
    side = 256
    points = topology().mean_shape
    landmarks = np.asarray((points - points.mean(axis=0)) * (0.6 * side / 1000) + side / 2, np.float32)
    face = Face(0, Box(0.0, 0.0, side, side), 1.0, Pose(0.0, 0.0, 0.0), landmarks)
    return Portrait(np.full((side, side, 3), 127, np.uint8), face)


class Swapper(Protocol):
    """Puts the identity of one face into another."""

    def prepare(self, portrait: Portrait, *, below: bool) -> Prepared:
        """All that depends on one photo alone.

        Args:
            portrait: The face.
            below: Whether another will be laid over it: what stays in front of it is found, too.
        """

    def swap(self, source: Prepared, target: Prepared, shape: float, lap: Lap) -> Layer:
        """The source's face as a layer over the target.

        Args:
            source: Whose face.
            target: Where to.
            shape: Share of the source's face shape, 0 to 1.
            lap: Called at the end of each step.
        """


class MeshSwapper:
    """No learned generator: the source's texture on the target's geometry, in the target's light."""

    def prepare(self, portrait: Portrait, *, below: bool) -> Prepared:
        """See ``Swapper``."""
        return prepare(portrait, below=below)

    def swap(self, source: Prepared, target: Prepared, shape: float, lap: Lap) -> Layer:
        """See ``Swapper``."""
        alignment = align(source.face, target.face, shape)
        lap("align")
        found = lookup(alignment, target, _unwanted(source, target))
        region = target.region
        size = region.width, region.height
        full = _three(drawn(patch_near(source, alignment.scale), source, found, size))
        if target.grey:
            full = _without_colour(full)
        lap("warp")
        layer = _fitted(full, alignment, found, source, target)
        lap("colour")
        return layer


def _fitted(full: Pixels, alignment: Alignment, found: Lookup, source: Prepared, target: Prepared) -> Layer:
    """Colours and mask at the working size, applied to the warped face at full size."""
    sheet = drawn(source.sheet, source, found, target.size)
    small = _three(sheet)
    if target.grey:
        small = _without_colour(small)
    over = np.minimum(sheet[..., 3] * np.float32(HAIR_EDGE / 255), 1)
    bare = _bare_brows(over, source.foreign.eyes_covered, target)
    lit = _lit(full, _light(small, over, bare, target))
    whole = target.region.width, target.region.height
    own = grain.grain_of(lit, target.region.local(alignment.geometry, whole))
    share = _share(over, bare, alignment.mouth, target) * found.seen
    pixels = _behind_glasses(grain.matched(lit, own, target.grain), target)
    return Layer(target.region, pixels, share, alignment.geometry)


def _behind_glasses(pixels: Pixels, target: Prepared) -> Pixels:
    """With the target's frame in front, at full size: a rim is thinner than a pixel of the working size."""
    if target.glasses is None:
        return pixels
    over = target.glasses.over((target.region.width, target.region.height))
    return np.asarray(cv2.blendLinear(target.patch, pixels, over, 1 - over), np.uint8)


def _light(small: Pixels, over: Floats, bare: Floats, target: Prepared) -> colour.Relight:
    """The target's light, and its skin where the source has nothing to give."""
    parts, under = target.parts, target.foreign.mask
    light = colour.relight(small, target.small, (1 - np.maximum(over, under)) * target.counted, parts.width)
    if not bare.any():
        return light
    skin = colour.bare_skin(target.small, (1 - under) * target.counted * (parts.features == 0), parts.width)
    # Of what is shown: the hair below bare skin is gone entirely, or its edge would come back as a line.
    share = bare / np.maximum(1 - over + bare, bare + np.float32(1e-6))
    rest = 1 - share
    return colour.Relight(light.gain * rest, light.offset * rest[..., None] + skin * share[..., None])


def _share(over: Floats, bare: Floats, mouth: Mouth, target: Prepared) -> Floats:
    """Of the source's face in the result, at the working size."""
    share = target.room * (1 - np.maximum(np.clip(over - bare, 0, 1), target.foreign.mask))
    return np.asarray(share * (1 - _kept_mouth(target.parts, mouth)), np.float32)


def _unwanted(source: Prepared, target: Prepared) -> Floats | None:
    """Where the target has the brow that the source's hair covers: the source's other brow goes there.

    Not where the target's hair covers the same one.
    """
    side = source.foreign.covered_brow
    if side is None or side == target.foreign.covered_brow:
        return None
    width = target.parts.width
    return masks.softened(target.parts.each_brow[side], BROW_MARGIN * width, 0.5 * BROW_MARGIN * width)


def _three(pixels: Pixels) -> Pixels:
    """Without the fourth channel."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)


def _without_colour(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def _bare_brows(over: Floats, eyes_covered: bool, target: Prepared) -> Floats:
    """Where the source's hair lies over the target's brow: bare skin goes there.

    The source's hair is left out and the target's brow must not come back as a second one. The target's own hair stays.
    """
    if eyes_covered:  # then the target's eyes stay, and their brows with them
        return np.zeros_like(over)
    width = target.parts.width
    brows = masks.softened(target.parts.brows, 0.045 * width, 0.02 * width + 0.3)
    covered = np.clip(2 * over - 0.2, 0, 1) * np.clip(2 * brows, 0, 1)
    return np.asarray(covered * np.maximum(1 - 3 * target.foreign.mask, 0), np.float32)


def _kept_mouth(parts: masks.Parts, mouth: Mouth) -> Floats:
    if mouth is Mouth.SOURCE:
        return np.zeros(parts.mouth.shape, np.float32)
    if mouth is Mouth.INSIDE_KEPT:
        return masks.softened(parts.mouth, 0, 0.01 * parts.width + 0.3)
    return masks.softened(parts.lips, 0.03 * parts.width, 0.02 * parts.width + 0.3)


def _lit(pixels: Pixels, light: colour.Relight) -> Pixels:
    size = pixels.shape[1], pixels.shape[0]
    gain = cv2.resize(light.gain, size, interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(light.offset, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(
        cv2.add(cv2.multiply(pixels, cv2.merge([gain] * 3), dtype=cv2.CV_32F), offset, dtype=cv2.CV_8U), np.uint8
    )
