"""Finds the parts of a face and what lies over it (hair, glasses, hands, hats, masks), at the working size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.mesh.median import median
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

FEATHER = 0.02  # face widths over which the edge fades
PROTECT = 0.035  # face widths round eyes, brows and lips where skin colour says nothing
COVERED = 0.7  # share of other colours than skin under each eye from which they are hidden, as by sunglasses,
COVERED_BELOW = 0.25  # and of the cheeks below, which lashes and painted lids leave out
BAND_MARGIN = 0.13  # face widths
WIDE = 0.03  # face widths; half of what a lock of hair has and a brow has not
BROW_COVERED, BROW_FREE = 0.13, 0.03  # share of a brow that is occluded
SHADOW = 0.012  # face widths of the forehead beside hair that its shadow falls on
MARGIN = 0.025  # face widths round hair, where its shadow and single strands are
OCCLUDED_LOW, OCCLUDED_HIGH = 2.8, 3.8  # standard deviations from the skin's colour
LEAST_RED = 0.1  # log of red over green that skin has at least, where masks are looked for
MASK_RED = 0.5  # of that of skin, which nose, lips and chin of a bare face all together never fall below
_SPREAD_FLOOR = np.array([11.0, 0.045, 0.045], np.float32)  # of the features below, on the most even skin
_SPREAD_CEILING = np.array([20.0, 0.1, 0.1], np.float32)  # else a hand or sunglasses in the sample would pass for skin
_BRIGHTER_REDDER = np.array([0.5, 0.4, 1.0], np.float32)  # weight of what lies over the skin's own value
_LOG_OFFSET = 24.0  # levels; keeps the noise of dark pixels out of the logarithms
_LOGS = np.log(np.arange(256, dtype=np.float32) + np.float32(_LOG_OFFSET))

Polygon = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Parts of one face as masks, ``(h, w)`` uint8 of 0 and 255.

    Attributes:
        face: Inside the oval.
        inner: The face without its rim.
        features: Eyes with brows, nostrils and lips, each with a margin.
        brows: With the same margin.
        each_brow: The right one and the left one, without it.
        eyes: Between the lids of both, without it.
        temples: From the outer quarter of the brows to the oval, where hair falls; without the eyes.
        core: Cheeks and nose.
        under_eyes: Of each eye: from the lower lid to the cheek.
        below_eyes: Of each eye: the next part of the cheek.
        eye_band: Both eyes with their surroundings and the bridge of the nose, as wide as sunglasses.
        lower: From below the eyes to the jaw.
        nose_tip: Its front.
        chin: Below the lower lip.
        lips: Inside the outer edge of the lips.
        mouth: Between the inner lips.
        width: Of the face, px.
    """

    face: Pixels
    inner: Pixels
    features: Pixels
    brows: Pixels
    each_brow: tuple[Pixels, Pixels]
    eyes: Pixels
    temples: Pixels
    core: Pixels
    under_eyes: tuple[Pixels, Pixels]
    below_eyes: tuple[Pixels, Pixels]
    eye_band: Pixels
    lower: Pixels
    nose_tip: Pixels
    chin: Pixels
    lips: Pixels
    mouth: Pixels
    width: float


@dataclass(frozen=True, slots=True, eq=False)
class Occlusion:
    """What lies over a face: hair, glasses, a hand, a hat, a mask.

    Attributes:
        mask: ``(h, w)`` float32, 1 where the face is covered.
        eyes_covered: By sunglasses or a hand.
        mask_worn: Over nose and mouth.
        covered_brow: The brow that hair covers in part while the other is free: 0 the right one, 1 the left one.
    """

    mask: Floats
    eyes_covered: bool
    mask_worn: bool
    covered_brow: int | None


def parts_of(points: Floats, size: tuple[int, int]) -> Parts:
    """Draw the parts of a face.

    Args:
        points: ``(468, 2+)`` px of the working image.
        size: Width and height of the working image.
    """
    xy = np.round(points[:, :2]).astype(np.int32)
    width = float(np.linalg.norm(points[topology.CHEEKS[1], :2] - points[topology.CHEEKS[0], :2]))
    eyes = (topology.RIGHT_EYE + topology.RIGHT_BROW, topology.LEFT_EYE + topology.LEFT_BROW)
    band = _hull(xy, (*topology.UNDER_RIGHT_EYE, *topology.UNDER_LEFT_EYE, *topology.RIGHT_BROW, *topology.LEFT_BROW))
    face = _drawn(size, [xy[list(topology.OVAL)]])
    temples = _drawn(size, [_hull(xy, temple) for temple in (topology.RIGHT_TEMPLE, topology.LEFT_TEMPLE)])
    between_lids = _drawn(size, [xy[list(eye)] for eye in (topology.RIGHT_EYE, topology.LEFT_EYE)])
    temples[grown(between_lids, 0.5 * PROTECT * width) > 0] = 0
    right_brow, left_brow = (_drawn(size, [_hull(xy, brow)]) for brow in (topology.RIGHT_BROW, topology.LEFT_BROW))
    return Parts(
        face=face,
        inner=_shrunk(face, 0.06 * width),
        features=grown(
            _drawn(size, [_hull(xy, part) for part in (*eyes, topology.LIPS_OUTER, topology.NOSTRILS)]), PROTECT * width
        ),
        brows=grown(np.maximum(right_brow, left_brow), PROTECT * width),
        each_brow=(right_brow, left_brow),
        eyes=between_lids,
        temples=temples,
        core=_drawn(size, [xy[list(topology.CORE_SKIN)]]),
        under_eyes=(
            _drawn(size, [xy[list(topology.UNDER_RIGHT_EYE)]]),
            _drawn(size, [xy[list(topology.UNDER_LEFT_EYE)]]),
        ),
        below_eyes=(
            _drawn(size, [xy[list(topology.BELOW_RIGHT_EYE)]]),
            _drawn(size, [xy[list(topology.BELOW_LEFT_EYE)]]),
        ),
        eye_band=_drawn_wide(size, band, BAND_MARGIN * width),
        lower=_drawn(size, [xy[list(topology.LOWER_FACE)]]),
        nose_tip=_drawn(size, [xy[list(topology.NOSE_TIP)]]),
        chin=_drawn(size, [xy[list(topology.CHIN_SKIN)]]),
        lips=_drawn(size, [xy[list(topology.LIPS_OUTER)]]),
        mouth=_drawn(size, [xy[list(topology.LIPS_INNER)]]),
        width=width,
    )


def find_occlusion(pixels: Pixels, parts: Parts) -> Occlusion:
    """Where the colour is not this face's skin: hair, glasses, a hand, a hat, a mask.

    Eyes, brows and lips are exempt, unless the skin under both eyes is covered: then the eyes are, too; or a mask is
    worn: then only eyes and brows are exempt; or a lock of hair lies over the end of a brow.

    Args:
        pixels: ``(h, w, 3)`` uint8 BGR.
        parts: Of the same image.
    """
    features = _smooth_features(pixels, parts)
    cloth = _find_mask(features, parts)
    masked = cloth is not None
    skin = np.maximum(*parts.under_eyes) > 0 if masked else (parts.core > 0) & (parts.features == 0)
    exempt = (parts.features > 0) & (parts.lower == 0) if masked else parts.features > 0
    mask = topology.smoothstep((_distance(features, skin) - OCCLUDED_LOW) / (OCCLUDED_HIGH - OCCLUDED_LOW))
    if cloth is not None:
        mask[cloth] = 1
    covered = all(_share_of(mask, under) > COVERED for under in parts.under_eyes) and all(
        _share_of(mask, cheek) > COVERED_BELOW for cheek in parts.below_eyes
    )
    locks = cv2.morphologyEx(np.asarray(mask > 0.5, np.uint8), cv2.MORPH_OPEN, disc(WIDE * parts.width))
    exempt &= (parts.temples == 0) | (locks == 0)
    mask[exempt] = 0
    if covered:
        mask[parts.eye_band > 0] = 1
    # Freckles and creases are thin or lie within the face; hair, frames, hands and hats reach in from outside.
    opened = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc(0.014 * parts.width)), np.float32)
    wider = cv2.dilate(_from_outside(opened, parts, covered), disc(MARGIN * parts.width))
    if not covered:
        wider[exempt] = 0
    soft = np.asarray(cv2.GaussianBlur(wider, (0, 0), 0.025 * parts.width + 0.3), np.float32)
    return Occlusion(soft, covered, masked, None if covered else _covered_brow(soft, parts))


def is_mask_worn(pixels: Pixels, parts: Parts) -> bool:
    """Whether a mask covers nose, mouth and chin; arguments are those of ``find_occlusion``."""
    return _find_mask(_smooth_features(pixels, parts), parts) is not None


def _covered_brow(mask: Floats, parts: Parts) -> int | None:
    shares = [_share_of(mask, brow) for brow in parts.each_brow]
    return int(np.argmax(shares)) if max(shares) > BROW_COVERED and min(shares) < BROW_FREE else None


def _share_of(mask: Floats, part: Pixels) -> float:
    """Mean of a mask over a part; 0 where that is empty."""
    return float(mask[part > 0].mean()) if part.any() else 0.0


def _find_mask(features: Floats, parts: Parts) -> npt.NDArray[np.bool_] | None:
    """``(h, w)``, where a mask is over nose, mouth and chin; None where all three are not far less red than skin.

    Lips are redder than the skin of every face, a beard leaves the nose out, and sunglasses are not red themselves. A
    mask in the colour of skin or redder is not found. Skin is what is under the eyes; cloth is nearer in redness
    to the three.
    """
    places = (np.maximum(*parts.under_eyes), parts.nose_tip, parts.lips, parts.chin)
    if not all(place.any() for place in places):
        return None
    redness = features[..., 1]
    skin, highest = float(median(redness[places[0] > 0])), 0.0
    for below in places[1:]:
        highest = max(highest, float(median(redness[below > 0])))
        if skin <= LEAST_RED or highest >= MASK_RED * skin:
            return None
    return np.asarray((parts.lower > 0) & (redness < (skin + highest) / 2))


def _from_outside(mask: Floats, parts: Parts, covered: bool) -> Floats:
    """The connected areas that touch the rim of the face, or the covered eyes."""
    count, labels = cv2.connectedComponents(np.asarray(mask > 0.3, np.uint8))
    anchor = parts.inner == 0
    if covered:
        anchor |= parts.eye_band > 0
    wanted = np.bincount(labels[anchor], minlength=count) > 0
    wanted[0] = False
    return np.asarray(mask * wanted[labels], np.float32)


def with_shadow(mask: Pixels, parts: Parts) -> Pixels:
    """``(h, w)`` uint8: what is not skin together with the forehead beside it, which hair darkens.

    Below the eyes that would be the outline of the face, by which it is known.
    """
    forehead = (parts.lower == 0) & (parts.features == 0)
    return np.where(forehead, grown(mask, SHADOW * parts.width), mask)


def feathered(face: Pixels, width: float) -> Floats:
    """``(h, w)`` float32 that falls from 1 to exactly 0 inside the mask's edge, and is 0 on the edge's own pixels.

    Enlarged, they would reach beyond it.
    """
    radius = FEATHER * width
    within = _shrunk(face, 1)
    inner = _shrunk(within, 1.6 * radius)
    soft = cv2.GaussianBlur(np.asarray(inner, np.float32) / np.float32(255), (0, 0), radius)
    soft = np.clip((soft - 0.02) / 0.96, 0, 1)
    return np.where(within > 0, soft, 0).astype(np.float32)


def softened(mask: Pixels, grow: float, soften: float) -> Floats:
    """``(h, w)`` float32 of a mask grown and blurred by so many px."""
    wider = np.asarray(grown(mask, grow), np.float32) / np.float32(255)
    return np.asarray(cv2.GaussianBlur(wider, (0, 0), soften), np.float32)


def _distance(features: Floats, sample: npt.NDArray[np.bool_]) -> Floats:
    """Standard deviations of each pixel from the colour of skin (Mahalanobis, over trimmed samples).

    The features are lightness and two log ratios of the channels, which shading moves together along a line that the
    covariance knows. Creases and blushes are redder than skin, hair and frames are not: red counts for less.

    Args:
        features: ``(h, w, 3)``.
        sample: ``(h, w)``, where there is skin.
    """
    skin = features[sample]
    if len(skin) < 16:
        return np.zeros(features.shape[:2], np.float32)
    middle = median(skin)
    planes = []
    for plane, usual, kept in zip(cv2.split(features), middle, _BRIGHTER_REDDER, strict=True):
        away = plane - usual
        planes.append(np.minimum(away, away * kept))  # what lies under the middle stays as it is
    whiten = np.linalg.cholesky(np.linalg.inv(_covariance(skin - middle)))
    whitened = cv2.transform(cv2.merge(planes), np.asarray(whiten.T, np.float32))
    x, y, z = cv2.split(whitened)
    return np.asarray(cv2.magnitude(cv2.magnitude(x, y), z), np.float32)


def _covariance(away: Floats) -> npt.NDArray[np.float64]:
    """``(3, 3)`` of the two thirds nearest to the middle, widened for the trimming, with a floor and a ceiling."""
    spread = np.clip(1.4826 * median(np.abs(away)), _SPREAD_FLOOR, _SPREAD_CEILING)
    x, y, z = (np.abs(away) < 2 * spread).T
    near = away[x & y & z]
    if len(near) < 16:
        return np.diag(spread.astype(np.float64) ** 2)
    near = near - near.mean(axis=0)
    return np.asarray(near.T @ near, np.float64) * (1.2 / len(near)) + np.diag(_SPREAD_FLOOR.astype(np.float64) ** 2)


def _smooth_features(pixels: Pixels, parts: Parts) -> Floats:
    return _features(np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.008 * parts.width + 0.3), np.uint8))


def _features(pixels: Pixels) -> Floats:
    blue, green, red = cv2.split(cv2.LUT(pixels, _LOGS))
    lightness = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB)[..., 0], np.float32) / np.float32(2.55)
    return np.asarray(cv2.merge([lightness, red - green, green - blue]), np.float32)


def _drawn(size: tuple[int, int], loops: list[Polygon]) -> Pixels:
    mask = np.zeros((size[1], size[0]), np.uint8)
    for loop in loops:
        cv2.fillPoly(mask, [loop], 255)
    return mask


def _drawn_wide(size: tuple[int, int], loop: Polygon, margin: float) -> Pixels:
    """A convex loop with a margin; a dilation as wide as this took half the time of all parts."""
    mask = _drawn(size, [loop])
    cv2.polylines(mask, [loop], True, 255, 2 * max(1, round(margin)) + 1)
    return mask


def _hull(xy: Polygon, part: tuple[int, ...]) -> Polygon:
    return np.asarray(cv2.convexHull(xy[list(part)]), np.int32)


def grown(mask: Pixels, radius: float) -> Pixels:
    """A mask that reaches so many px farther."""
    return np.asarray(cv2.dilate(mask, disc(radius)), np.uint8)


def _shrunk(mask: Pixels, radius: float) -> Pixels:
    # What lies beyond the image is not face: the rim of a face cut by the edge is a rim as well.
    return np.asarray(cv2.erode(mask, disc(radius), borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)


def disc(radius: float) -> Pixels:
    """The structuring element of that radius, px, at least 1."""
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
