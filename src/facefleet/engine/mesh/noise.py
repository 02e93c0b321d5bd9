"""Measures the noise of a photo on skin, by octave and channel.

A camera's noise falls off from octave to octave in a way that is told by the two finest ones; what skin shows in the
coarser ones is shading and colour of its own, so there the strength follows from the finer.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

OCTAVES = 4  # wavelengths up to 4, 8, 16 and 32 px
MEASURED = 3  # of these, the finest
PLAIN = np.array([0.1, 0.25, 0.25])  # quantile of the local variances that is noise alone: elsewhere are wrinkles
# Levels that clean skin has, and those above them that make a photo noisy; Y, Cr and Cb, the finest octave first.
TEXTURE = np.array([[1.2, 0.55, 0.55], [1.9, 0.65, 0.65], [3, 1.5, 1.5]], np.float32)
VISIBLE = np.array([[1.05, 1.6, 1.6], [np.inf, 2.2, 2.2], [np.inf, np.inf, np.inf]], np.float32)
DETAIL = 1.25  # of luma, the second octave over the first, from which both are the detail of a small, sharp face
ALIKE = 1.25  # of the face's own noise up to which that of the photo is as strong
TEXTURE_TAKEN = 0.7  # of a face's own texture, since the photo's comes along with its noise
HIGHEST = 25.0  # levels
LUMA_SECOND = 0.6, 1.2  # octave over the first, after no demosaicing and after the softest
CHROMA_THIRD, CHROMA_FOURTH = 1.1, 0.7  # of each octave over the one before, at most
_PLAIN_SHARE = np.array([0.8, 0.85, 0.85], np.float32)  # of the noise's own deviation that the quantile shows
SAMPLE = 160  # px, side of the largest area that is measured
_SMALLEST = 16  # px


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Noise of a photo on cheeks and nose.

    Attributes:
        total: ``(MEASURED, 3)`` float32 levels of Y, Cr and Cb: standard deviation, the finest octave first.
    """

    total: Floats

    @property
    def visible(self) -> bool:
        """Whether there is more than skin and an ordinary camera show."""
        return self._luma_shows or bool((self._above_skin() > VISIBLE)[:, 1:].any())

    @property
    def strength(self) -> Floats:
        """``(OCTAVES, 3)``: without what clean skin has."""
        above = np.concatenate([self._above_skin(), np.zeros((1, 3), np.float32)])
        first = above[0, 0]
        ratio = np.clip(above[1, 0] / max(first, 1e-3), *LUMA_SECOND)
        above[1:, 0] = first * ratio * (0.4 + 0.28 * ratio) ** np.arange(OCTAVES - 1)
        above[2, 1:] = np.minimum(above[2, 1:], CHROMA_THIRD * above[1, 1:])
        above[3, 1:] = CHROMA_FOURTH * above[2, 1:]
        return np.asarray(above, np.float32)

    def exceeds(self, own: Noise) -> bool:
        """Whether it is clearly stronger than that of a face."""
        return bool((self.total > ALIKE * own.total)[:2].any())

    def lacking(self, own: Noise) -> Floats:
        """``(OCTAVES, 3)``: share of it that makes a face as noisy which has noise of its own."""
        has = np.square(own.total) - TEXTURE_TAKEN * np.square(np.minimum(own.total, TEXTURE))
        share = np.sqrt(np.maximum(1 - has / np.maximum(np.square(self.total), 0.1), 0))
        share[:, 0] = share[0, 0] if self._luma_shows else 0
        return np.asarray(share[[0, 1, 2, 2]], np.float32)

    @property
    def _luma_shows(self) -> bool:
        """Whether there is more than on clean skin, and falls off as noise does."""
        first, second = self._above_skin()[:2, 0]
        return bool(first > VISIBLE[0, 0] and second < DETAIL * first)

    def _above_skin(self) -> Floats:
        return np.asarray(np.sqrt(np.maximum(np.square(self.total) - np.square(TEXTURE), 0)), np.float32)


def noise_of(pixels: Pixels, points: Floats) -> Noise:
    """Measure a face.

    Args:
        pixels: ``(h, w, 3)`` uint8 BGR.
        points: ``(468, 2)`` px of it.
    """
    octaves = octaves_of(planes_of(_box(pixels, points[list(topology.CORE_SKIN)])), MEASURED)
    measured = np.array([_plain(octave) for octave in octaves], np.float32)
    return Noise(np.minimum(measured / _PLAIN_SHARE, HIGHEST))


def planes_of(pixels: Pixels) -> Floats:
    """``(h, w, 3)`` float32 levels of Y, Cr and Cb."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2YCrCb), np.float32)


def octaves_of(planes: Floats, count: int) -> list[Floats]:
    """A Laplacian pyramid (Burt and Adelson, 1983) of ``(h, w[, n])``, the finest octave first, without the rest."""
    octaves = []
    for _ in range(count):
        below = cv2.pyrDown(planes)
        up = cv2.pyrUp(below, dstsize=planes.shape[1::-1])
        octaves.append(np.asarray(cv2.subtract(planes, up, dst=up), np.float32))
        planes = np.asarray(below, np.float32)
    return octaves


def variance_of(octave: Floats) -> Floats:
    """``(h / 2, w / 2[, n])``: of the 6 · 6 px round each pixel; the mean of an octave is 0."""
    size = max(1, octave.shape[1] // 2), max(1, octave.shape[0] // 2)
    near = cv2.resize(cv2.multiply(octave, octave), size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.blur(near, (3, 3), dst=near), np.float32)


def _plain(octave: Floats) -> list[float]:
    """Deviation of each channel where it has little detail."""
    variances = variance_of(octave).reshape(-1, 3)
    places = (PLAIN * len(variances)).astype(int)
    return [float(np.sqrt(np.partition(variances[:, c], place)[place])) for c, place in enumerate(places)]


def _box(pixels: Pixels, points: Floats) -> Pixels:
    """The middle of the box round some points."""
    size = np.array(pixels.shape[1::-1])
    low, high = points.min(axis=0), points.max(axis=0)
    half = np.clip((high - low) / 2, _SMALLEST / 2, SAMPLE / 2)
    x0, y0 = np.clip(np.floor((low + high) / 2 - half), 0, np.maximum(size - _SMALLEST, 0)).astype(int)
    x1, y1 = np.ceil((low + high) / 2 + half).astype(int)
    return pixels[y0 : max(y1, y0 + _SMALLEST), x0 : max(x1, x0 + _SMALLEST)]
