"""Finds the tone curve of a photo of one hue, such as a sepia print, and colours pixels by it.

A toned print, a cyanotype, a duotone or a night-vision picture has one colour for each brightness. Whoever is put into
it must have those colours and no others: a red lip in a sepia print is what gives a fusion away.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.types import Floats, Pixels

SAMPLE = 96  # px, long side of the look at the whole photo
BINS = 32  # brightnesses at which the curve is measured
OFF_CURVE = 3.3  # levels of L*a*b* that grain, age and compression leave off the curve of a print, root mean square
FAR = 7.0  # levels of L*a*b*
FAR_SHARE = 0.05  # of the photo that may be farther off than that: stains, a stamp
SPARSE, CLEARLY = 16, 1.5  # pixels a bin of a first look, and over how many times these limits that one decides
NEUTRAL = 2.0  # levels of a* and b* under which a curve has no colour
_LEVELS = np.arange(BINS, dtype=np.float32)
_PLACES = np.arange(256, dtype=np.float32) * np.float32((BINS - 1) / 255)  # of each brightness on the curve


@dataclass(frozen=True, slots=True, eq=False)
class ToneCurve:
    """The colours of a photo of one hue.

    Attributes:
        colours: ``(256, 1, 3)`` uint8 BGR, by brightness (Rec. 601).
    """

    colours: Pixels

    def coloured(self, pixels: Pixels) -> Pixels:
        """``(h, w, 3)`` uint8 BGR of the same brightness in the colours of the print."""
        return np.asarray(cv2.LUT(without_colour(pixels), self.colours.reshape(1, 256, 3)), np.uint8)


def without_colour(pixels: Pixels) -> Pixels:
    """``(h, w, 3)`` uint8, the same in black and white."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def find_tone(*views: Pixels) -> ToneCurve | None:
    """The curve of a photo, or None where it has more colours than one for each brightness, or none at all.

    Args:
        views: ``(h, w, 3)`` uint8 BGR each: the photo, and where it is known its face, in which lips and eyes tell a
            colour photo from a print soonest. Each must keep to a curve.
    """
    samples = [_sampled(view) for view in views]
    if any(_many_colours(sample) or _curve(sample) is None for sample in samples):
        return None
    curve = _curve(np.concatenate(samples))
    if curve is None or float(np.abs(curve[:, 1:] - 128).max()) < NEUTRAL:
        return None
    return ToneCurve(_colours(curve))


def _many_colours(pixels: Pixels) -> bool:
    """Whether a few of the pixels are so far from any curve that all of them are: so it is with nearly every photo."""
    return len(pixels) > SPARSE * BINS and _curve(pixels[:: len(pixels) // (SPARSE * BINS)], CLEARLY) is None


def _sampled(view: Pixels) -> Pixels:
    """``(n, 1, 3)``: some of its pixels, as far apart as ``SAMPLE`` on the long side needs."""
    step = max(1, max(view.shape[:2]) // SAMPLE)
    return np.ascontiguousarray(view[::step, ::step]).reshape(-1, 1, 3)


def _curve(pixels: Pixels, lenience: float = 1.0) -> Floats | None:
    """``(BINS, 3)`` float32 L*a*b* levels by brightness, or None where the pixels do not keep to one curve."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).ravel()
    lab = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB), np.float32).reshape(-1, 3)
    nearest = np.round(_PLACES).astype(np.intp)[grey]
    count = np.bincount(nearest, minlength=BINS).astype(np.float32)
    sums = np.stack([np.bincount(nearest, lab[:, n], BINS) for n in range(3)], axis=1).astype(np.float32)
    known = count > 0
    curve = np.stack([np.interp(_LEVELS, _LEVELS[known], sums[known, n] / count[known]) for n in range(3)], axis=1)
    steepness = np.linalg.norm(np.gradient(curve[:, 1:], axis=0), axis=1)  # there, a little noise moves the colour far
    # Along the curve for each of 256 brightnesses, then for each pixel.
    wanted = np.stack([np.interp(_PLACES, _LEVELS, curve[:, n]) for n in (1, 2)], axis=1)
    away = lab[:, 1:] - wanted[grey]
    off = np.maximum(np.hypot(away[:, 0], away[:, 1]) - np.interp(_PLACES, _LEVELS, steepness)[grey], 0)
    if np.sqrt(np.square(off).mean()) > lenience * OFF_CURVE or (off > FAR).mean() > lenience * FAR_SHARE:
        return None
    return np.asarray(curve, np.float32)


def _colours(curve: Floats) -> Pixels:
    """The curve as one colour for each of 256 brightnesses."""
    lab = np.stack([np.interp(_PLACES, _LEVELS, curve[:, n]) for n in range(3)], axis=1)
    colours = cv2.cvtColor(np.round(lab).astype(np.uint8)[:, None], cv2.COLOR_LAB2BGR).astype(np.float32)
    brightness = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)[..., None]
    wanted = np.arange(256, dtype=np.float32)[:, None, None]  # a face keeps its brightness
    return np.asarray(np.clip(np.round(colours + wanted - brightness), 0, 255), np.uint8)
