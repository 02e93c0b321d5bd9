"""Measures how far apart two colours look: CIEDE2000 of sRGB pixels.

After Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test data, and
mathematical observations" (Color Research and Application, 2005), with all three weights 1.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
_FAR = 25.0**7


def difference(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> Doubles:
    """``(h, w)`` differences of two ``(h, w, 3)`` uint8 BGR pictures; 1 is about what an eye just notices."""
    return difference_of_lab(_lab(one), _lab(other))


def difference_of_lab(one: Doubles, other: Doubles) -> Doubles:
    """Differences of two arrays of CIELAB colours, ``(…, 3)``."""
    (light, a, b), (light2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    stretch = 1.5 - 0.5 * _saturating((np.hypot(a, b) + np.hypot(a2, b2)) / 2)
    chroma, chroma2 = np.hypot(a * stretch, b), np.hypot(a2 * stretch, b2)
    hue, hue2 = (np.degrees(np.arctan2(y, x * stretch)) % 360 for x, y in ((a, b), (a2, b2)))
    grey = chroma * chroma2 == 0
    turn = np.where(grey, 0, (hue2 - hue + 180) % 360 - 180)
    middle = np.where(grey, hue + hue2, (hue + turn / 2) % 360)
    mean_light, mean_chroma = (light + light2) / 2, (chroma + chroma2) / 2
    tone = (
        1
        - 0.17 * _cos(middle - 30)
        + 0.24 * _cos(2 * middle)
        + 0.32 * _cos(3 * middle + 6)
        - 0.2 * _cos(4 * middle - 63)
    )
    off = (mean_light - 50) ** 2
    by_light = (light2 - light) / (1 + 0.015 * off / np.sqrt(20 + off))
    by_chroma = (chroma2 - chroma) / (1 + 0.045 * mean_chroma)
    by_hue = 2 * np.sqrt(chroma * chroma2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * mean_chroma * tone)
    blue = np.radians(60 * np.exp(-(((middle - 275) / 25) ** 2)))
    rotation = -2 * _saturating(mean_chroma) * np.sin(blue)
    return np.asarray(np.sqrt(by_light**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue), np.float64)


def _lab(pixels: npt.NDArray[np.uint8]) -> Doubles:
    return np.asarray(cv2.cvtColor(pixels.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB), np.float64)


def _saturating(chroma: Doubles) -> Doubles:
    return np.asarray(np.sqrt(chroma**7 / (chroma**7 + _FAR)), np.float64)


def _cos(degrees: Doubles) -> Doubles:
    return np.asarray(np.cos(np.radians(degrees)), np.float64)
