"""Transfers the target's light to the source's skin: a gain and an offset for each pixel of the warped face.

Light is a product: a pixel is the skin's own colour times the light that falls on it. So the brightness of the
target's low frequencies over the source's carries shading, and contrast follows brightness by itself (the quotient
image of Riklin-Raviv and Shashua, 2001). The change of colour is a shift of the channels' shares of brightness. Both
are measured on skin at the working size; the maps are smooth, so they fit the face at any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.types import Floats, Pixels

LIGHT_SIGMA = 0.2  # face widths; finer, and the shape of the source's cheeks and nose would go with its light
BARE_SIGMA = 0.05  # face widths
TINT_SIGMA = 0.16  # face widths; the colour of light changes more slowly than its amount
GAIN_LOW, GAIN_HIGH = 0.1, 4.0  # beyond, the source's noise would show
TINT_HIGHEST = 0.8  # fall of a channel's share of brightness
CONTRAST_LOW, CONTRAST_HIGH = 0.75, 1.2  # bounds of the change of detail
LEAST_COLOUR = 0.4  # share of the source's own differences of colour that stays at least
LEAST_DAMPING = 0.3  # share of the same that stays of a source in lights of two colours
EVEN = 0.1  # standard deviation of blue's share of brightness that one light leaves on skin
SKIN_COLOUR = 0.5  # share of the skin's colourfulness from which a pixel is skin; gloss has more, teeth have less
GREY_SHARE = 0.3  # of the change of hue that a colourless pixel takes
GREY = 6.0  # levels between the channels under which skin is black and white
WHITE = 244.0  # level above which highlights are pressed
SKIN_WEIGHT = 0.5  # from which a pixel of the measurement is skin
_DARK = 24.0  # levels; keeps the noise of dark pixels out of the ratio
_CONTINUED = 0.02  # weight of the mean where there is no skin nearby
_LIGHT_SHRINK = 4  # light is smooth: a quarter of the working size shows all of it


@dataclass(frozen=True, slots=True, eq=False)
class Relight:
    """``pixel · gain + offset``, at the working size.

    Attributes:
        gain: ``(h, w)`` float32.
        offset: ``(h, w, 3)`` float32 levels.
    """

    gain: Floats
    offset: Floats


def relight(warped: Pixels, below: Pixels, weight: Floats, width: float) -> Relight:
    """What turns the warped face into the target's light.

    Args:
        warped: ``(h, w, 3)`` uint8 BGR, the source's face in place.
        below: The target there.
        weight: ``(h, w)`` float32, of each pixel in the measurement.
        width: Of the face, px.
    """
    size = warped.shape[1], warped.shape[0]
    own, other = _weighted(warped, weight), _weighted(below, weight)
    fine = [_low(each, LIGHT_SIGMA * width / _LIGHT_SHRINK) for each in (own, other)]
    damping = _damping(own, other)
    source_share, target_share = (
        _shares(_low(each, share * TINT_SIGMA * width / _LIGHT_SHRINK))
        for each, share in ((own, damping), (other, 1.0))
    )
    colourfulness = _colourfulness(source_share, target_share) * damping
    tint = _enlarged(np.clip(target_share - colourfulness * source_share, -TINT_HIGHEST, 1), size)
    gain = _enlarged(np.clip(_brightness(fine[1]) / _brightness(fine[0]), GAIN_LOW, GAIN_HIGH), size)
    base = _enlarged(fine[1], size)
    pixels = np.asarray(warped, np.float32)
    share = _skin_share(warped, weight)
    offset = _times(tint, gain * _brightness(pixels) * share)
    gain *= 1 - share * np.float32(1 - colourfulness)
    lit = np.asarray(cv2.add(_times(pixels, gain), offset), np.float32)
    headroom = _headroom(lit, below)
    contrast = _contrast(lit[..., 1] * headroom, below[..., 1], base[..., 1], weight)
    headroom *= np.float32(contrast)
    offset = _times(offset, headroom)
    offset += base * np.float32(1 - contrast)
    return Relight(gain * headroom, offset)


def bare_skin(pixels: Pixels, weight: Floats, width: float) -> Floats:
    """``(h, w, 3)`` float32 levels: the skin without any detail, continued under brows and hair.

    Args:
        pixels: ``(h, w, 3)`` uint8 BGR.
        weight: ``(h, w)`` float32, 0 where there is anything but skin.
        width: Of the face, px.
    """
    low = _low(_weighted(pixels, weight), BARE_SIGMA * width / _LIGHT_SHRINK)
    return _enlarged(low, (pixels.shape[1], pixels.shape[0]))


def is_grey(pixels: Pixels, weight: Pixels) -> bool:
    """Whether skin has no colour: the photo is black and white."""
    high, low = _extremes(pixels)
    return bool(weight.any()) and cv2.mean(high - low, weight)[0] < GREY


def _extremes(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """The highest and the lowest channel; NumPy is slow along an axis of three."""
    blue, green, red = cv2.split(pixels)
    high, low = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    return np.asarray(high, np.uint8), np.asarray(low, np.uint8)


def _weighted(pixels: Pixels, weight: Floats) -> Floats:
    """``(h / 4, w / 4, 4)``: the channels times the weight, and the weight."""
    height, width = weight.shape
    size = max(8, width // _LIGHT_SHRINK), max(8, height // _LIGHT_SHRINK)
    weighted = _times(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA), np.uint8), weight)
    shrunk = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA)  # the fourth channel is 255 · weight
    return np.asarray(shrunk, np.float32)


def _low(weighted: Floats, sigma: float) -> Floats:
    """Low frequencies of the channels, from skin alone (normalised convolution) and continued over the rest."""
    mean = weighted.mean(axis=(0, 1))
    mean = mean[:3] * np.float32(255 / max(float(mean[3]), 1e-3))
    low = cv2.GaussianBlur(weighted, (0, 0), max(0.5, sigma))
    total = low[..., 3:] / np.float32(255) + np.float32(_CONTINUED)
    return np.asarray((low[..., :3] + np.float32(_CONTINUED) * mean) / total + 1, np.float32)


def _times(pixels: Pixels | Floats, factor: Floats) -> Floats:
    """``(h, w, C)`` float32 of ``(h, w, C)`` and ``(h, w)``; NumPy is slow along a short last axis."""
    wide = cv2.merge([factor] * pixels.shape[2])
    return np.asarray(cv2.multiply(pixels, wide, dtype=cv2.CV_32F), np.float32)


def _brightness(pixels: Floats) -> Floats:
    """``(h, w)`` float32, Rec. 601."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.float32)


def _shares(low: Floats) -> Floats:
    """Of brightness that each channel has; 1 where it is grey."""
    return np.asarray(low / _brightness(low)[..., None], np.float32)


def _colourfulness(source: Floats, target: Floats) -> float:
    """Colourfulness of the target's skin over the source's, 1 at most: a sunburnt source has sunburnt shadows too."""
    own, other = (float(np.abs(share - 1).mean()) for share in (source, target))
    return min(1.0, max(LEAST_COLOUR, other / max(own, 1e-3)))


def _damping(source: Floats, target: Floats) -> float:
    """1, or less where a source in lights of two colours is more uneven than the target and than one light makes it."""
    own, other = (_spread(weighted) for weighted in (source, target))
    return min(1.0, max(LEAST_DAMPING, (max(other, EVEN) / max(own, 1e-3)) ** 2))


def _spread(weighted: Floats) -> float:
    """Standard deviation over skin of blue's share of brightness, which light of another colour changes most."""
    skin = weighted[weighted[..., 3] > SKIN_WEIGHT * 255]
    if not skin.size:
        return 0.0
    colours = np.asarray(skin[:, :3] * (255 / skin[:, 3:]) + 1, np.float32)
    return float(_shares(colours[None])[0, :, 0].std())


def _enlarged(small: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _skin_share(warped: Pixels, weight: Floats) -> Floats:
    """How far a pixel has the colour of skin and changes with it: teeth, brows and the white of eyes have not.

    What suits skin would turn them blue.
    """
    high, low = _extremes(warped)
    colour = np.asarray(high - low, np.float32) / (high + np.float32(_DARK))
    usual = float((colour * weight).sum() / max(float(weight.sum()), 1e-6))
    if usual < GREY / 255:  # in a grey photo, being grey says nothing
        return np.ones_like(weight)
    smooth = cv2.GaussianBlur(colour, (0, 0), 1) * np.float32(1 / (SKIN_COLOUR * usual))
    return np.asarray(np.clip(smooth, GREY_SHARE, 1), np.float32)


def _headroom(lit: Floats, below: Pixels) -> Floats:
    """Less of everything where a channel would pass white: a highlight with a flat middle looks burnt.

    What is as bright in the target may be as bright in the result.
    """
    blue, green, red = cv2.split(lit)
    highest = cv2.GaussianBlur(cv2.max(cv2.max(blue, green), red), (0, 0), 1)
    own = cv2.GaussianBlur(np.asarray(_extremes(below)[0], np.float32), (0, 0), 1)
    return np.asarray(np.minimum(1, np.maximum(own + 0.5, WHITE) / np.maximum(highest, 1)), np.float32)


def _contrast(lit: Floats, below: Pixels, base: Floats, weight: Floats) -> float:
    """Detail of the target over that of the source; each ``(h, w)``, the green channel."""
    own, other = (float((np.square(pixels - base) * weight).sum()) + 1e-3 for pixels in (lit, below))
    return float(np.clip(np.sqrt(other / own), CONTRAST_LOW, CONTRAST_HIGH))
