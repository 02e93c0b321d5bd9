"""Takes hard light off a face and lays it on another: with its source copied, a shadow would become a patch on skin.

How much light falls on a pixel is read off the skin's own brightness, smoothed but for its steep edges (guided filter
of He, Sun and Tang, 2013), at the working size; as a line through the brightness of each place it fits the face at any
size. What is dark by itself (eyes, brows, hair, beard, moles) is told from shadow by its colour, by being narrower than
any shadow counted here, or by being darker than the room leaves skin in any shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.mesh.exposure import Mask, continued
from facefleet.engine.mesh.masks import Parts, disc
from facefleet.engine.mesh.median import median, quantile
from facefleet.engine.types import Floats, Pixels

# Log of levels over which light below the eyes ranges, at 10 and 90 % of the skin, from which it is hard, if on nose,
# cheeks and under the eyes, where nobody has a beard, it ranges over the second, at 5 and 95 %.
UNEVEN_LOWER, UNEVEN_CORE = 0.5, 0.57
WHOLLY = 1.25  # times as much, from which all of it is taken off
DEEPEST = 1.15  # log of levels from the brightest skin down to what is no skin in shadow: a fifteenth of the light
DEEPEST_FADE = 0.2  # log of levels
BRIGHTEST = 0.95  # quantile of the brightest skin
LEAST_SKIN = 30  # px
RADIUS = 0.025  # face widths, of the filter
FLAT = 0.01  # variance, log of levels, under which brightness is smoothed away
NARROW = 0.03  # face widths, half of what a dark thing has at most that is not a shadow
UNDER = 0.05  # log of levels that the pores in a shadow are darker than it
DARKER_MOST, BRIGHTER_MOST = 1.2, 1.16  # log of levels; beyond, noise and steps of 8 bits would show
RED_AWAY, BLUE_AWAY = 0.22, 0.35  # logs of red over green and of green over blue, away from those of the skin
AWAY_FADE = 0.6  # times as far, over which a pixel ceases to be skin
NOISY = 12.0  # levels under which these logs say little
OFFSET = 14.0  # levels; with it sRGB is a power of 2.4 of light (IEC 61966-2-1), so that light is a factor
_LEVELS = np.arange(256, dtype=np.float32)
_LOGS = np.log(_LEVELS + np.float32(OFFSET))
_LIGHT_LOGS = np.asarray(np.float32(2.4) * np.log(np.maximum(_LEVELS + OFFSET, 22) / np.float32(255 + OFFSET)))


@dataclass(frozen=True, slots=True, eq=False)
class HardLight:
    """Light on a face, log of levels: ``slope · brightness + level``.

    Attributes:
        slope: ``(h, w)`` float32; near 1 at the edges of shadows, near 0 on even skin.
        level: ``(h, w)`` float32.
        lowest: ``(h, w)`` float32, brightness under which a pixel is not darker by its light.
        middle: What the light becomes.
        amount: Share of the difference that is taken away.
    """

    slope: Floats
    level: Floats
    lowest: Floats
    middle: float
    amount: float

    def evened(self, pixels: Pixels) -> Pixels:
        """``(H, W, 3)`` uint8 BGR of any size over the same region, in even light."""
        return _lit(pixels, self._change(pixels))

    def cast_on(self, pixels: Pixels, photo: Pixels) -> Pixels:
        """Pixels in even light, laid into the light of the photo.

        Args:
            pixels: ``(H, W, 3)`` uint8 BGR.
            photo: The same place in the photo, in the same exposure: where the edges of the shadows are.
        """
        return _lit(pixels, -self._change(photo))

    def _change(self, photo: Pixels) -> Floats:
        """``(H, W)`` log of levels from the photo's light to even light."""
        size = photo.shape[1], photo.shape[0]
        slope, level, lowest = (
            np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_LINEAR), np.float32)
            for each in (self.slope, self.level, self.lowest)
        )
        light = slope * np.maximum(_brightness(photo), lowest) + level
        return np.asarray(np.clip(self.middle - light, -DARKER_MOST, BRIGHTER_MOST) * self.amount, np.float32)


def find_hard_light(small: Pixels, parts: Parts) -> HardLight | None:
    """Light that leaves edges on a face; None where it is soft, as in nearly every portrait.

    Args:
        small: ``(h, w, 3)`` uint8 BGR, at the working size.
        parts: Of the same image.
    """
    bright = np.asarray(cv2.morphologyEx(_brightness(small), cv2.MORPH_CLOSE, disc(NARROW * parts.width)), np.float32)
    lower = (parts.lower > 0) & (parts.lips == 0) & (parts.inner > 0)
    if _range(bright[lower], 0.1) < UNEVEN_LOWER:
        return None
    skin = _skin(small, bright, parts)
    slope, level = _filtered(bright, skin, max(2, round(RADIUS * parts.width)))
    light = slope * bright + level
    below = light[lower & (skin > 0.5)]
    core = light[_core(parts) & (skin > 0.5)]
    hard = min(_range(below, 0.1) / UNEVEN_LOWER, _range(core, 0.05) / UNEVEN_CORE)
    if hard <= 1:
        return None
    amount = min(1.0, (hard - 1) / (WHOLLY - 1))
    return HardLight(slope, level, bright - np.float32(UNDER), float(median(below)), amount)


def _lit(pixels: Pixels, change: Floats) -> Pixels:
    """Pixels in more or less light, log of levels."""
    gain = cv2.exp(change)
    scaled = cv2.multiply(pixels, cv2.merge([gain] * 3), dtype=cv2.CV_32F)
    offset = np.float32(OFFSET) * (gain - 1)
    return np.asarray(cv2.add(scaled, cv2.merge([offset] * 3), dtype=cv2.CV_8U), np.uint8)


def _skin(small: Pixels, bright: Floats, parts: Parts) -> Floats:
    """``(h, w)``, how far a pixel is bare skin, whatever light falls on it; 0 beyond the face."""
    skin = _in_hue(small, parts) * (cv2.subtract(parts.face, parts.lips) > 0)
    skin[parts.eyes > 0] = 0
    shown = bright[(skin > 0.5) & (parts.inner > 0)]
    if len(shown) < LEAST_SKIN:
        return np.zeros_like(bright)
    darkest = quantile(shown, BRIGHTEST) - DEEPEST
    return np.asarray(skin * np.clip((bright - darkest) / DEEPEST_FADE + 0.5, 0, 1), np.float32)


def _in_hue(small: Pixels, parts: Parts) -> Floats:
    """``(h, w)``, how far a pixel has the hue of cheeks and nose."""
    smooth = cv2.GaussianBlur(small, (0, 0), 0.012 * parts.width + 0.3)
    blue, green, red = cv2.split(cv2.LUT(smooth, _LIGHT_LOGS))
    core = (parts.core > 0) & (parts.features == 0)
    if not core.any():
        return np.zeros(small.shape[:2], np.float32)
    redder, greener = (np.asarray(each - median(each[core]), np.float32) for each in (red - green, green - blue))
    far = cv2.magnitude(redder * np.float32(1 / RED_AWAY), greener * np.float32(1 / BLUE_AWAY))
    away = far / (1 + np.float32(NOISY) / (np.asarray(cv2.cvtColor(smooth, cv2.COLOR_BGR2GRAY), np.float32) + 4))
    return np.asarray(1 - np.clip((away - 1) / AWAY_FADE, 0, 1), np.float32)


def _core(parts: Parts) -> Mask:
    """``(h, w)``, nose, cheeks and the skin under the eyes."""
    under = np.maximum(np.maximum(*parts.under_eyes), np.maximum(*parts.below_eyes))
    return np.asarray((np.maximum(parts.core, under) > 0) & (parts.inner > 0))


def _filtered(bright: Floats, skin: Floats, radius: int) -> tuple[Floats, Floats]:
    """Slope and level of light by brightness, measured on skin; the mean of the skin around where there is none."""
    total = np.maximum(_mean(skin, radius), np.float32(1e-3))
    mean = _mean(skin * bright, radius) / total
    variance = np.maximum(_mean(skin * bright * bright, radius) / total - mean * mean, 0)
    steep = variance / (variance + np.float32(FLAT))
    around = continued(np.dstack([mean, mean]), skin)[..., 0]
    shown = cv2.GaussianBlur(skin, (0, 0), 0.6)
    slope, level = (
        _mean(np.asarray(skin * each, np.float32), radius) / total * shown for each in (steep, mean * (1 - steep))
    )
    return np.asarray(slope, np.float32), np.asarray(level + around * (1 - shown), np.float32)


def _mean(values: Floats, radius: int) -> Floats:
    size = 2 * radius + 1
    return np.asarray(cv2.blur(values, (size, size), borderType=cv2.BORDER_REFLECT), np.float32)


def _brightness(pixels: Pixels) -> Floats:
    """``(h, w)`` float32, log of levels."""
    return np.asarray(cv2.LUT(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), _LOGS), np.float32)


def _range(values: Floats, share: float) -> float:
    """Between the quantiles ``share`` and ``1 - share``; 0 of too few."""
    return quantile(values, 1 - share) - quantile(values, share) if len(values) >= LEAST_SKIN else 0.0
