"""The target's light on the source's skin: what to multiply each pixel of the warped face by, and what to add.

Light is a product: a pixel is the skin's own colour times the light that falls on it. So the low frequencies of the
target over those of the source, channel by channel, carry shading, coloured light and the tone of the skin at once
(the quotient image of Riklin-Raviv and Shashua, 2001), and contrast follows brightness by itself. Both are measured
on skin at the working size; the two maps are smooth, so they fit the face at any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.types import Floats, Pixels

LIGHT_SIGMA = 0.12  # face widths; shading is coarser, features are finer
TINT_SIGMA = 0.25  # face widths; the colour of light changes more slowly than its amount
GAIN_LOW, GAIN_HIGH = 0.1, 4.0  # beyond, the source's noise would show
TINT_LOWEST, TINT_HIGHEST = 0.4, 2.5  # of a channel against brightness
CONTRAST_LOW, CONTRAST_HIGH = 0.75, 1.2  # bounds of the change of detail
GREY_SHARE = 0.3  # of the change of hue that a colourless pixel takes
GREY = 6.0  # levels between the channels under which skin is black and white
_CONTINUED = 0.02  # weight of the mean where there is no skin nearby
_LUMA = np.array([0.114, 0.587, 0.299], np.float32)  # Rec. 601, BGR
_LIGHT_SHRINK = 4  # light is smooth: a quarter of the working size shows all of it


@dataclass(frozen=True, slots=True, eq=False)
class Relight:
    """``pixel · gain + offset``, at the working size.

    Attributes:
        gain: ``(h, w, 3)`` float32.
        offset: ``(h, w, 3)`` float32 levels.
        base: ``(h, w, 3)`` float32 levels, the target's skin without any detail, continued under brows and hair.
    """

    gain: Floats
    offset: Floats
    base: Floats


def relight(warped: Pixels, below: Pixels, weight: Floats, features: Floats, width: float) -> Relight:
    """What turns the warped face into the target's light.

    Args:
        warped: ``(h, w, 3)`` uint8 BGR, the source's face in place.
        below: The target there.
        weight: ``(h, w)`` float32, of each pixel in the measurement.
        features: ``(h, w)`` float32, 1 on eyes and brows.
        width: Of the face, px.
    """
    size = warped.shape[1], warped.shape[0]
    own, other = _weighted(warped, weight), _weighted(below, weight)
    fine = [_low(each, LIGHT_SIGMA * width / _LIGHT_SHRINK) for each in (own, other)]
    coarse = [_low(each, TINT_SIGMA * width / _LIGHT_SHRINK) for each in (own, other)]
    amount = np.clip(_brightness(fine[1]) / _brightness(fine[0]), GAIN_LOW, GAIN_HIGH)
    tints = [each / _brightness(each) for each in coarse]
    tint = np.clip(tints[1] / np.maximum(tints[0], 0.05), TINT_LOWEST, TINT_HIGHEST)
    gain, base = _enlarged(amount, size)[..., None], _enlarged(fine[1], size)
    hue = _kept_grey(warped, _enlarged(tint, size), features, weight)
    gain = gain * hue
    contrast = _contrast(warped * gain, below, base, weight)
    return Relight(gain * np.float32(contrast), base * np.float32(1 - contrast), base)


def is_grey(pixels: Pixels, weight: Pixels) -> bool:
    """Whether skin has no colour: the photo is black and white."""
    skin = pixels[weight > 0]
    return len(skin) > 0 and float((skin.max(axis=1) - skin.min(axis=1)).mean()) < GREY


def _weighted(pixels: Pixels, weight: Floats) -> Floats:
    """``(h / 4, w / 4, 4)``: the channels times the weight, and the weight."""
    height, width = weight.shape
    size = max(8, width // _LIGHT_SHRINK), max(8, height // _LIGHT_SHRINK)
    sheet = np.empty((height, width, 4), np.float32)
    np.multiply(pixels, weight[..., None], out=sheet[..., :3])
    sheet[..., 3] = weight
    return np.asarray(cv2.resize(sheet, size, interpolation=cv2.INTER_AREA), np.float32)


def _low(sheet: Floats, sigma: float) -> Floats:
    """Low frequencies of the channels, from skin alone (normalised convolution) and continued over the rest."""
    mean = sheet.sum(axis=(0, 1))
    mean = mean[:3] / max(float(mean[3]), 1e-3)
    low = cv2.GaussianBlur(sheet, (0, 0), max(0.5, sigma))
    return np.asarray((low[..., :3] + _CONTINUED * mean) / (low[..., 3:] + _CONTINUED) + 1, np.float32)


def _brightness(low: Floats) -> Floats:
    return np.asarray(low @ _LUMA, np.float32)[..., None]


def _enlarged(small: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _kept_grey(warped: Pixels, tint: Floats, features: Floats, weight: Floats) -> Floats:
    """A colourless pixel takes less of the change of hue: what suits skin turns white eyes and black brows blue."""
    high = warped.max(axis=2)
    relative = np.asarray(high - warped.min(axis=2), np.float32) / (high + np.float32(1))
    usual = float((relative * weight).sum() / max(float(weight.sum()), 1e-6))
    if usual < GREY / 255:  # in a grey photo, being grey says nothing
        return tint
    relative = cv2.GaussianBlur(relative, (0, 0), 1)
    share = 1 - features * (1 - np.clip(relative / (0.75 * usual), GREY_SHARE, 1))
    return np.asarray(1 + share[..., None] * (tint - 1), np.float32)


def _contrast(lit: Floats, below: Pixels, base: Floats, weight: Floats) -> float:
    """Detail of the target over that of the source, of the green channel."""
    own, other = (
        float((np.square(pixels[..., 1] - base[..., 1]) * weight).sum()) + 1e-3 for pixels in (lit, below)
    )
    return float(np.clip(np.sqrt(other / own), CONTRAST_LOW, CONTRAST_HIGH))
