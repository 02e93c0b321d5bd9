"""Prepares one face for the mesh swapper: its pixels, parts, skin and grain, whoever it is fused with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from facefleet.engine.codec.profile import to_srgb
from facefleet.engine.memory import array_bytes
from facefleet.engine.mesh import colour, masks
from facefleet.engine.mesh.covered import Covered, find_covered
from facefleet.engine.mesh.exposure import find_recovery
from facefleet.engine.mesh.glasses import Glasses, find_glasses
from facefleet.engine.mesh.grain import Grain, grain_of
from facefleet.engine.mesh.hands import Hands, drawn
from facefleet.engine.mesh.hardlight import HardLight, find_hard_light
from facefleet.engine.mesh.motion import Detail, detail_of
from facefleet.engine.mesh.noise import Noise, noise_of
from facefleet.engine.mesh.redeye import without_red_eyes
from facefleet.engine.steps import topology
from facefleet.engine.steps.region import Region, region_of
from facefleet.engine.steps.resample import shrunk
from facefleet.engine.steps.tone import ToneCurve, find_tone
from facefleet.engine.types import Face, Floats, Pixels, Portrait

WORKING_SIZE = 144  # px, long side of the region at which masks and colours are computed
FREE = 0.3  # occlusion under which the face itself is seen
FEATURE_WEIGHT = 0.25  # of eyes, brows and lips in the measurement of light
LEAST_MASK = 0.25  # share of a face that a mask hides at least; a microphone before the mouth hides less
RIM = 1.12  # the mesh is continued outwards this far, so that its edge has something to interpolate towards


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFace:
    """A face made ready to be put into others, or to be replaced; holds no reference to the photo.

    Attributes:
        face: Where it is in the photo.
        region: Of the photo, the face with its rim.
        patch: ``(region.height, region.width, 3)`` uint8 BGR, a copy; of a source in the light of ``small``.
        small: ``(h, w, 3)`` uint8 BGR, the patch at the working size, with burnt-out skin recovered in darker light and
            hard light taken off.
        below: The same as it is in the photo.
        darker: Linear light of ``below`` over that of ``small``; 1 where nothing is burnt out.
        hard_light: What falls on the face in ``patch`` and no longer in ``small``; of a face to be replaced.
        small_with_occlusion: ``(h, w, 4)`` uint8, ``small`` and beside it, 0 to 255, what is not skin and its shadow.
        parts: Of ``small``.
        occlusion: What lies over the face in ``small``, things before it among it.
        paste_mask: ``(h, w)`` float32, how far another face may cover this one.
        light_weights: ``(h, w)`` float32, weight of each pixel in the measurement of light.
        grey: Whether the photo is black and white.
        tone: The colours of a photo of one hue, such as a sepia print; searched for on a face to be replaced.
        grain: How sharp and noisy the patch is.
        noise: Of the patch of a face to be replaced, or None where none shows.
        detail: Of the patch of a face to be replaced, by direction.
        glasses: The frame of clear glasses; sunglasses are occlusion.
        covered: What is hidden by things before the face, or None.
        eyes_closed: Of a source, one or both.
    """

    face: Face
    region: Region
    patch: Pixels
    small: Pixels
    below: Pixels
    darker: float
    hard_light: HardLight | None
    small_with_occlusion: Pixels
    parts: masks.Parts
    occlusion: masks.Occlusion
    paste_mask: Floats
    light_weights: Floats
    grey: bool
    tone: ToneCurve | None
    grain: Grain
    noise: Noise | None
    detail: Detail | None
    glasses: Glasses | None
    covered: Covered | None
    eyes_closed: bool = False

    @property
    def held_bytes(self) -> int:
        """Memory that is freed when it goes."""
        return array_bytes(self)

    @property
    def has_one_hue(self) -> bool:
        """Whether each brightness has one colour in this photo, grey or another."""
        return self.grey or self.tone is not None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of ``small``."""
        return self.small.shape[1], self.small.shape[0]


def prepare(portrait: Portrait, *, replaced: bool = True, hands: Hands | None = None) -> PreparedFace:
    """All that depends on one photo alone.

    Args:
        portrait: The face.
        replaced: Whether another face comes over it: then its patch stays as in the photo, to be laid over, what shows
            of hidden features is replaced, and the frame of its glasses and the tone of its print are searched for.
        hands: Finds hands before it; None: they count only where they stand out as other things do.
    """
    face = portrait.face
    region = region_of(rim(face.landmarks[:, :2]), portrait.pixels.shape)
    patch = np.array(region.of(portrait.pixels))
    if portrait.profile is not None:
        to_srgb(patch, portrait.profile, grey=False)
    local = region.local(face.landmarks, (region.width, region.height))
    without_red_eyes(patch, local)
    size = _working_size(region)
    small = shrunk(patch, size)
    points = region.local(face.landmarks, size)
    parts = masks.parts_of(points, size)
    below, darker = small, 1.0
    recovery = find_recovery(small, parts)
    if recovery is not None:
        small, darker = recovery.recovered(small), recovery.darker
        patch = patch if replaced else recovery.recovered(patch)
    # Before hard light is taken off: the filter that does so would smear the edges of things.
    search = None if hands is None else partial(_hands_over, hands, portrait, region, size)
    covered = find_covered(small, points, parts, face.pose, replaced=replaced, hands=search)
    solid = np.column_stack([local, face.landmarks[:, 2]])
    glasses = find_glasses(patch, solid) if covered is not None and covered.maybe_frame else None
    if covered is not None and (glasses is not None or _is_mask(covered, small, parts)):
        covered = None  # what people wear has rules of its own
    hard_light = find_hard_light(small, parts)
    if hard_light is not None:
        small = hard_light.evened(small)
        patch = patch if replaced else hard_light.evened(patch)
    occlusion = _with_things(masks.find_occlusion(small, parts), covered)
    shadowed = masks.with_shadow(np.asarray(occlusion.mask * 255, np.uint8), parts)
    # The edge of a mask crosses the nose as a bridge does.
    searched = replaced and not (occlusion.eyes_covered or occlusion.mask_worn or (covered and covered.brows))
    grey = colour.is_grey(small, parts.core)
    noise = _shown(noise_of(patch, local)) if replaced else None
    return PreparedFace(
        face=face,
        region=region,
        patch=patch,
        small=small,
        below=below,
        darker=darker,
        hard_light=hard_light if replaced else None,
        small_with_occlusion=np.asarray(cv2.merge([small, shadowed]), np.uint8),
        parts=parts,
        occlusion=occlusion,
        paste_mask=masks.feathered(parts.face, parts.width),
        light_weights=_light_weights(parts),
        grey=grey,
        tone=find_tone(portrait.pixels, below) if replaced and not grey else None,
        grain=grain_of(patch, local),
        noise=noise,
        detail=detail_of(patch, np.asarray(parts.inner * (occlusion.mask < FREE), np.uint8), noise)
        if replaced
        else None,
        glasses=(glasses or find_glasses(patch, solid)) if searched else None,
        covered=covered,
    )


def _hands_over(hands: Hands, portrait: Portrait, region: Region, size: tuple[int, int]) -> Pixels | None:
    """``(h, w)`` uint8 at the working size, 255 where hands lie before the face, or None."""
    points = portrait.face.landmarks[:, :2]
    found = hands.find(portrait.pixels, points)
    if not found:
        return None
    oval = region.local(points[list(topology.OVAL)], size)
    return np.asarray(
        np.maximum.reduce([drawn(region.local(hand.joints, size), oval, size) for hand in found]), np.uint8
    )


def _shown(noise: Noise) -> Noise | None:
    return noise if noise.visible else None


def _is_mask(covered: Covered, small: Pixels, parts: masks.Parts) -> bool:
    return not covered.by_hand and covered.share > LEAST_MASK and masks.is_mask_worn(small, parts)


def _with_things(occlusion: masks.Occlusion, covered: Covered | None) -> masks.Occlusion:
    """Things before a face occlude it as hair does; a brow that one hides is not borrowed from the other side."""
    if covered is None:
        return occlusion
    brow = None if covered.brows else occlusion.covered_brow
    return replace(occlusion, mask=np.maximum(occlusion.mask, covered.mask), covered_brow=brow)


def _working_size(region: Region) -> tuple[int, int]:
    """Width and height."""
    scale = min(1.0, WORKING_SIZE / max(region.width, region.height))
    return max(1, round(region.width * scale)), max(1, round(region.height * scale))


def _light_weights(parts: masks.Parts) -> Floats:
    """On skin; a little round the eyes too, or deep shadows there would come along."""
    return np.asarray((parts.inner > 0) * np.where(parts.features > 0, FEATURE_WEIGHT, 1), np.float32)


def rim(points: Floats) -> Floats:
    """The oval continued outwards from the middle of the face."""
    oval = points[list(topology.OVAL)]
    middle = oval.mean(axis=0)
    return np.asarray(middle + RIM * (oval - middle), np.float32)
