"""Turns stored values into sRGB by way of linear light, the curve before the cut to 8 bits.

For photos of 16 bits, whose shadows break into steps when they are cut to 8 bits first, and for those whose colours are
told by code points instead of a profile. Light that is brighter than a page of white paper is mapped down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.types import Floats, Pixels

Curve = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
Matrix = npt.NDArray[np.float64]

_STRIP_ROWS = 64  # so many rows are held as floats
_KNEE = 0.7  # of linear light: up to here nothing is mapped down; white paper comes out at 0.9
_STEPS = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """How stored values become linear light of the primaries of sRGB.

    Attributes:
        curves: One for all, or one each for red, green and blue: 0 to 1 as stored, to linear light; 1 is white paper.
        matrix: From the file's primaries to those of sRGB, ``(3, 3)`` for columns of RGB; none where they are the same.
        bright: Whether light beyond white is to be mapped down.
        scene: Done to linear light before that; ``(H, W, 3)`` float32 BGR to the same.
    """

    curves: tuple[Curve, ...]
    matrix: Matrix | None = None
    bright: bool = False
    scene: Callable[[Floats], Floats] | None = None

    def to_srgb(self, stored: npt.NDArray[np.generic]) -> Pixels:
        """``(H, W, 3)`` uint8 BGR of ``(H, W, 3)`` uint8 or uint16 BGR."""
        tables = [self._table(curve, stored.dtype) for curve in reversed(self.curves)]  # in the order of BGR
        pixels = np.empty(stored.shape, np.uint8)
        for top in range(0, stored.shape[0], _STRIP_ROWS):
            rows = slice(top, top + _STRIP_ROWS)
            if len(tables) == 1:
                linear = tables[0][stored[rows]]
            else:
                linear = np.stack([table[stored[rows, :, n]] for n, table in enumerate(tables)], axis=-1)
            pixels[rows] = _encoded(self._in_srgb_primaries(linear))
        return pixels

    def _table(self, curve: Curve, stored: npt.DTypeLike) -> Floats:
        return np.asarray(curve(np.linspace(0, 1, np.iinfo(np.dtype(stored)).max + 1)), np.float32)

    def _in_srgb_primaries(self, linear: Floats) -> Floats:
        if self.scene is not None:
            linear = self.scene(linear)
        if self.bright:
            linear = _mapped_down(linear)
        if self.matrix is not None:
            linear = np.asarray(cv2.transform(linear, np.asarray(self.matrix[::-1, ::-1], np.float32)), np.float32)
        return linear


def _mapped_down(linear: Floats) -> Floats:
    """A soft shoulder on the brightest channel; the others follow, so that hues stay."""
    peak = linear.max(axis=2, keepdims=True)
    beyond = np.maximum(peak - _KNEE, 0)
    shoulder = _KNEE + (1 - _KNEE) * (1 - np.exp(-beyond / (1 - _KNEE)))
    return np.asarray(linear * np.where(peak > _KNEE, shoulder / np.maximum(peak, 1e-6), 1), np.float32)


def _srgb_table() -> Pixels:
    """Linear light in 65,536 steps to the values of sRGB (IEC 61966-2-1)."""
    light = np.linspace(0, 1, _STEPS)
    values = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(values * 255 + 0.5, np.uint8)


_SRGB = _srgb_table()


def _encoded(linear: Floats) -> Pixels:
    return _SRGB[np.asarray(np.clip(linear, 0, 1) * (_STEPS - 1) + 0.5, np.uint16)]
