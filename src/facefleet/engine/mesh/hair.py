"""Finds hair round a face, only where it is certain, and turns it grey."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.mesh import masks
from facefleet.engine.mesh.masks import Parts
from facefleet.engine.mesh.median import median
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

RING_NEAR, RING_FAR = 0.05, 0.20  # face widths outside the oval, above the eyes: where a scalp's hair is sampled
FADE_NEAR, FADE_FAR = 0.28, 0.55  # face widths outside the oval over which hair is left alone
ENOUGH = 0.35  # share of the ring that must be something else than skin
ALONE_LOW, ALONE_HIGH = 0.15, 0.45  # share of the far surroundings of the same colour from which nothing is certain
_SPREAD_FLOOR, _SPREAD_CEILING = np.array([6.0, 3.0, 4.0], np.float32), np.array([14.0, 6.0, 9.0], np.float32)  # L*a*b*
_COLDEST = -8.0  # a* and b* of hair; what is greener or bluer is a hat or the sky
TEXTURE = 2.2  # deviation of L from which it is strands, not a wall
PALING = 0.75  # share of the colour that grey hair loses
GREY_LIGHTNESS = 66.0
LIGHTENING = 0.46
BROW_PALING, BROW_LIGHTENING = 0.4, 0.22
APART_LOW, APART_HIGH = 1.6, 2.4  # spreads between the colours of hair and skin
TEMPLES_LOW, TEMPLES_HIGH = 0.15, 0.35  # share of what is beside the temples that must look like the hair above
FAIR_LOW, FAIR_HIGH = 38.0, 52.0  # L of hair
BEARD_LEVEL = 0.3  # face widths below the eyes from which dark is more likely a collar than hair
CAST = 0.22  # share of the skin's colour in what looks grey beside it: neutral grey looks blue in warm light


@dataclass(frozen=True, slots=True, eq=False)
class _Colour:
    """Where samples are in L*a*b*, and how far they spread."""

    middle: Floats
    spread: Floats

    def distance(self, lab: Floats) -> Floats:
        """``(h, w)`` in spreads."""
        return np.asarray(np.linalg.norm((lab - self.middle) / self.spread, axis=2) / np.sqrt(3), np.float32)


def hair_of(lab: Floats, points: Floats, parts: Parts, skin: Floats, occlusion: Floats, down: Floats) -> Floats:
    """``(h, w)`` float32, 1 where hair or beard is certain.

    Args:
        lab: ``(h, w, 3)`` float32, L from 0 to 100.
        points: ``(468, 2)`` px.
        parts: Of the same image.
        skin: ``(h, w)`` float32, 1 on skin.
        occlusion: ``(h, w)`` float32, 1 on what covers the face.
        down: ``(2,)`` px, one face width towards the chin.
    """
    none = np.zeros(skin.shape, np.float32)
    outside = np.asarray(cv2.distanceTransform(255 - parts.face, cv2.DIST_L2, 3), np.float32) / np.float32(parts.width)
    level = _below_eyes(points, down, skin.shape)
    ring = (outside > RING_NEAR) & (outside < RING_FAR) & (level < 0)
    skin_colour = _colour(lab[skin > 0.7])
    if skin_colour is None or not ring.any():
        return none
    from_skin = skin_colour.distance(lab)
    other = ring & (from_skin > 1.6)
    hair_colour = _colour(lab[other]) if other.sum() > ENOUGH * ring.sum() else None
    if hair_colour is None or (hair_colour.middle[1:] < _COLDEST).any():
        return none
    from_hair = hair_colour.distance(lab)
    alike = topology.smoothstep((from_skin - from_hair) / 1.5) * (1 - topology.smoothstep((from_hair - 1.2) / 1.2))
    certain = (
        _dark(hair_colour)
        * _apart(hair_colour, skin_colour)
        * _alone(alike, outside, level)
        * _at_temples(alike, other, level)
    )
    near = (1 - topology.smoothstep((outside - FADE_NEAR) / (FADE_FAR - FADE_NEAR))) * (
        1 - topology.smoothstep((level - BEARD_LEVEL) / 0.35)
    )
    hair = certain * alike * near * _strands(lab[..., 0], parts.width) * (parts.features == 0) * (parts.eye_band == 0)
    hair *= np.where(parts.face > 0, occlusion, 1)
    return np.asarray(cv2.GaussianBlur(hair, (0, 0), 0.012 * parts.width + 0.3), np.float32)


def greyed(lab: Floats, hair: Floats, brows: Floats, skin: Floats, width: float) -> Floats:
    """What to add to turn hair and brows grey, strand by strand: the light ones first.

    Args:
        lab: ``(h, w, 3)`` float32, L from 0 to 100.
        hair: ``(h, w)`` float32, 1 on hair.
        brows: ``(h, w)`` float32, 1 on the hairs of the brows.
        skin: ``(3,)`` float32 L*a*b*, the mean of the face.
        width: Of the face, px.

    Returns:
        ``(h, w, 3)`` float32.
    """
    light = lab[..., 0]
    smooth = cv2.GaussianBlur(light, (0, 0), max(0.6, 0.03 * width))
    strands = 0.4 + 0.6 * topology.smoothstep(np.asarray((light - smooth) / 10 + 0.4, np.float32))
    delta = np.empty_like(lab)
    delta[..., 0] = (hair * LIGHTENING + brows * BROW_LIGHTENING) * strands * np.maximum(GREY_LIGHTNESS - light, 0)
    paling = np.minimum(hair * PALING + brows * BROW_PALING, PALING)
    delta[..., 1:] = paling[..., None] * (np.float32(CAST) * skin[1:] - lab[..., 1:])
    return delta


def _dark(hair: _Colour) -> float:
    """Fair hair hardly shows its first grey, and red turns blotchy: they stay."""
    return 1 - _ramp(float(hair.middle[0]), FAIR_LOW, FAIR_HIGH)


def _apart(hair: _Colour, skin: _Colour) -> float:
    """Fair hair is too near to the skin's colour to be told from it."""
    away = float(skin.distance(hair.middle[None, None])[0, 0])
    return _ramp(away, APART_LOW, APART_HIGH)


def _at_temples(alike: Floats, other: npt.NDArray[np.bool_], level: Floats) -> float:
    """Hair reaches down to the temples; a hat does not."""
    beside = other & (level > -0.12)
    if not beside.any():
        return 0.0
    share = float(alike[beside].mean())
    return _ramp(share, TEMPLES_LOW, TEMPLES_HIGH)


def _alone(alike: Floats, outside: Floats, level: Floats) -> float:
    """How certain it is that the colour is the hair's own and not the background's too."""
    far = (level < 0) & (outside > FADE_FAR)
    share = float(alike[far].mean()) if far.any() else 1.0
    return 1 - _ramp(share, ALONE_LOW, ALONE_HIGH)


def _ramp(value: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high``, smooth between."""
    return float(topology.smoothstep(np.array((value - low) / (high - low), np.float32)))


def _strands(light: Floats, width: float) -> Floats:
    sigma = max(0.8, 0.02 * width)
    mean = cv2.GaussianBlur(light, (0, 0), sigma)
    spread = np.sqrt(np.maximum(cv2.GaussianBlur(light * light, (0, 0), sigma) - mean * mean, 0))
    return topology.smoothstep(np.asarray(cv2.GaussianBlur(spread, (0, 0), 2 * sigma), np.float32) / TEXTURE)


def brows_of(light: Floats, points: Floats, parts: Parts, skin: Floats) -> Floats:
    """``(h, w)`` float32, 1 on the brows' own hairs: what is darker than skin inside their outlines.

    Args:
        light: ``(h, w)`` float32, L from 0 to 100.
        points: ``(468, 2)`` px.
        parts: Of the same image.
        skin: ``(h, w)`` float32, 1 on skin.
    """
    mask: Pixels = np.zeros(skin.shape, np.uint8)
    for brow in (topology.RIGHT_BROW, topology.LEFT_BROW):
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points[list(brow)]).astype(np.int32)), 255)
    level = float((light * skin).sum() / max(float(skin.sum()), 1e-6))
    dark = topology.smoothstep((level - light) / (0.4 * level + 1e-3) - 0.15)
    soft = masks.softened(mask, 0.015 * parts.width, 0.015 * parts.width + 0.3)
    return np.asarray(soft * dark, np.float32)


def _below_eyes(points: Floats, down: Floats, shape: tuple[int, ...]) -> Floats:
    """``(h, w)`` face widths below the line of the eyes, measured along the face."""
    eyes = points[[33, 263]].mean(axis=0)
    unit = down / max(float(down @ down), 1e-6)
    x, y = np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32)[:, None]
    return np.asarray((x - eyes[0]) * unit[0] + (y - eyes[1]) * unit[1], np.float32)


def _colour(samples: Floats) -> _Colour | None:
    if len(samples) < 16:
        return None
    middle = median(samples)
    spread = 1.4826 * median(np.abs(samples - middle))
    return _Colour(middle, np.clip(spread, _SPREAD_FLOOR, _SPREAD_CEILING).astype(np.float32))
