"""Changes the age of skin: its lines, folds, shadows and colour, as a difference in L*a*b* at the working size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.aging.lines import FOLDS, WRINKLES, drawn
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats

# Sigmas and radii in face widths.
GRAIN = 0.0045  # finer detail is pores and noise, which stay
EVEN_RADIUS = 0.035
BROAD = 0.07
CREASE = 0.009
EDGE = 0.07  # contrast over lightness from which an edge is the face's form, not its skin
SMOOTHING = 0.8  # share of the skin's detail that goes
EVENING = 0.55  # share of the blotches in colour that goes
LIFTING = 0.6  # share of the shadow under eyes and in folds that goes
DEEPENING = 0.6  # share by which it grows
DEEPEST = 0.1  # of the lightness: what is darker is no fold
CREASE_GAIN, CREASE_LIMIT = 2.2, 7.0  # of what is there; lightness
SALLOW = np.array([0.07, 0.02], np.float32)  # share of its red and of its yellow that older skin loses
DULL = 0.02  # share of its lightness
MOTTLE = 0.9  # lightness
WARMTH = 0.8  # share of the skin's colour that a shade on it gains as it darkens: light goes through skin
BURNT_OUT = 88.0  # lightness from which a highlight shows no line
CLEAR_SIGMA = 0.014
CLEAR_LOW, CLEAR_HIGH = 0.003, 0.008  # median contrast of the finest detail over lightness


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """The skin of one face.

    Attributes:
        lab: ``(h, w, 3)`` float32, L from 0 to 100.
        weight: ``(h, w)`` float32, 1 on skin.
        points: ``(468, 2)`` px.
        width: Of the face, px.
        mean: ``(3,)`` float32 of ``lab`` on skin.
    """

    lab: Floats
    weight: Floats
    points: Floats
    width: float
    mean: Floats

    @property
    def lightness(self) -> float:
        """Mean L, at least 1: contrasts are measured against it."""
        return max(float(self.mean[0]), 1.0)


def skin_of(lab: Floats, weight: Floats, points: Floats, width: float) -> Skin:
    """Measure a skin."""
    mean = np.tensordot(weight, lab, 2) / max(float(weight.sum()), 1e-6)
    return Skin(lab, weight, points, width, np.asarray(mean, np.float32))


def younger(skin: Skin, amount: float) -> Floats:
    """Fewer lines and blotches, lighter folds and eye shadows.

    Args:
        skin: Of the face.
        amount: 0 to 1.
    """
    light, even, shadow = _layers(skin)
    delta = np.zeros_like(skin.lab)
    delta[..., 0] = SMOOTHING * (even - light) + LIFTING * shadow + 0.015 * skin.lightness
    for channel in (1, 2):
        colour = _blurred(skin.lab[..., channel], GRAIN * skin.width)
        delta[..., channel] = EVENING * (_mean(colour, skin.weight, EVEN_RADIUS * skin.width) - colour)
    return np.asarray(delta * (amount * skin.weight)[..., None], np.float32)


def older(skin: Skin, amount: float) -> Floats:
    """Deeper lines, folds and shadows where the skin has them, drawn ones along its anatomy, duller uneven colour.

    Args:
        skin: Of the face.
        amount: 0 to 1.
    """
    light, _, shadow = _layers(skin)
    size = skin.weight.shape
    lines = drawn(FOLDS, skin.points, skin.width, size)
    lines += _clearness(light, skin) * drawn(WRINKLES, skin.points, skin.width, size)
    lines *= 1 - topology.smoothstep((light - BURNT_OUT) / (100 - BURNT_OUT))
    shade = lines * skin.lightness - DEEPENING * shadow - _creases(light, skin)
    mottle = _mottle(skin)
    delta = np.empty_like(skin.lab)
    delta[..., 0] = shade + MOTTLE * mottle - DULL * skin.lightness
    delta[..., 1:] = -SALLOW * skin.lab[..., 1:] * (1 + 0.3 * mottle)[..., None]
    delta[..., 1:] -= (shade * (WARMTH / skin.lightness))[..., None] * skin.mean[1:]
    return np.asarray(delta * (amount * skin.weight)[..., None], np.float32)


def _layers(skin: Skin) -> tuple[Floats, Floats, Floats]:
    """Lightness without grain, without lines too, and how far folds and eye shadows lie below what is round them."""
    light = _blurred(skin.lab[..., 0], GRAIN * skin.width)
    even = _even(light, skin)
    below = _mean(even, skin.weight, BROAD * skin.width) - even
    return light, even, np.asarray(np.clip(below, 0, DEEPEST * skin.lightness) * _folds(skin), np.float32)


def _clearness(light: Floats, skin: Skin) -> float:
    """0 where the photo is too soft or too retouched to show a pore: a fine line would look drawn there."""
    certain = skin.weight > 0.5
    if not certain.any():
        return 0.0
    grain = np.abs(light - _blurred(light, CLEAR_SIGMA * skin.width))[certain]
    share = float(np.median(grain)) / skin.lightness
    return float(topology.smoothstep(np.array((share - CLEAR_LOW) / (CLEAR_HIGH - CLEAR_LOW), np.float32)))


def _creases(light: Floats, skin: Skin) -> Floats:
    """How much darker each crease becomes: dark lines, told from spots by the two curvatures of the lightness."""
    sigma = max(0.8, CREASE * skin.width)
    smooth = _blurred(light, sigma)
    xx, yy, xy = (
        cv2.Sobel(smooth, cv2.CV_32F, dx, dy, ksize=3) * scale
        for dx, dy, scale in ((2, 0, 0.25), (0, 2, 0.25), (1, 1, 0.25))
    )
    middle, apart = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    line = np.maximum(middle + apart - np.abs(middle - apart), 0) * np.float32(sigma**2)
    limit = CREASE_LIMIT * skin.lightness / 65
    certain = skin.weight > 0.5
    usual = float(np.median(line[certain])) if certain.any() else 0.0  # of pores, noise and compression
    return np.asarray(limit * np.tanh(CREASE_GAIN * np.maximum(line - usual, 0) / limit), np.float32)


def _folds(skin: Skin) -> Floats:
    """1 where folds and shadows come with the years: under the eyes, from the nose to the mouth, below its corners."""
    zone = np.zeros(skin.weight.shape, np.uint8)
    thick = max(1, round(0.09 * skin.width))
    for line in FOLDS:
        for course in line.courses(skin.points):
            cv2.polylines(zone, [np.round(course).astype(np.int32)], False, 255, thick)
    return _blurred(np.asarray(zone, np.float32) / np.float32(255), 0.025 * skin.width)


def _mottle(skin: Skin) -> Floats:
    """Uneven pigment, about -1 to 1: the same on every photo, fixed to the face."""
    side = 24
    noise = np.random.default_rng(20).standard_normal((side, side)).astype(np.float32)
    left, top = skin.points.min(axis=0)
    right, bottom = skin.points.max(axis=0)
    stretch = np.array([[(right - left) / side, 0, left], [0, (bottom - top) / side, top]], np.float32)
    height, width = skin.weight.shape
    return np.asarray(
        cv2.warpAffine(noise, stretch, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT),
        np.float32,
    )


def _even(light: Floats, skin: Skin) -> Floats:
    """Lightness without lines but with edges, on skin alone (He et al., "Guided Image Filtering", 2010)."""
    size = 2 * max(1, round(EVEN_RADIUS * skin.width)) + 1
    share = _box(skin.weight, size) + np.float32(1e-3)
    mean = _box(light * skin.weight, size) / share
    spread = np.maximum(_box(light**2 * skin.weight, size) / share - mean**2, 0)
    slope = spread / (spread + np.float32((EDGE * skin.lightness) ** 2 + 1e-3))
    offset = mean * (1 - slope)
    slope, offset = (_box(part * skin.weight, size) / share for part in (slope, offset))
    return np.asarray(slope * light + offset, np.float32)


def _mean(image: Floats, weight: Floats, sigma: float) -> Floats:
    """Blurred over skin alone (normalised convolution), at a quarter of the size."""
    height, width = image.shape
    small = max(4, width // 4), max(4, height // 4)
    sigma = max(0.5, sigma * small[0] / width)
    both = cv2.resize(np.dstack([image * weight, weight]), small, interpolation=cv2.INTER_AREA)
    both = cv2.GaussianBlur(both, (0, 0), sigma)
    mean = both[..., 0] / (both[..., 1] + np.float32(1e-3))
    return np.asarray(cv2.resize(mean, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _box(image: Floats, size: int) -> Floats:
    return np.asarray(cv2.blur(image, (size, size)), np.float32)


def _blurred(image: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.3, sigma)), np.float32)
