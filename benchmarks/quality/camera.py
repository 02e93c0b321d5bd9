"""Photographs pictures anew by seed: with the noise of a sensor and its demosaicing, with motion, through a codec."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from facefleet.engine.types import Floats, Pixels

# Deviation in levels of luma and of each chroma, by the sensitivity that a phone would name.
LEVELS: Mapping[int, tuple[float, float]] = {
    400: (2.0, 1.5), 800: (3.0, 2.2), 1600: (4.5, 3.2), 3200: (6.5, 4.5), 6400: (9.5, 6.5),
}  # fmt: skip
QUALITIES = (0, 95, 85, 75, 60)  # 0: no JPEG
SIZE_LUMA, SIZE_CHROMA = 0.8, 1.8  # px, deviation of the blur of a phone's noise reduction
_SAMPLES = 4  # copies a px of a path
_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4  # bilinear demosaicing of a Bayer pattern
_RED_OR_BLUE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
_WHITE_BALANCE = (1.7, 1.0, 1.9)  # gains of B, G and R


def demosaiced(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """``(h, w, 3)`` Y, Cr and Cb: white noise of the cells of a Bayer pattern, demosaiced; deviations 1."""
    raw = rng.standard_normal(shape).astype(np.float32)
    cells = np.zeros((*shape, 3), np.float32)
    cells[0::2, 0::2, 2], cells[1::2, 1::2, 0] = raw[0::2, 0::2], raw[1::2, 1::2]
    cells[0::2, 1::2, 1], cells[1::2, 0::2, 1] = raw[0::2, 1::2], raw[1::2, 0::2]
    kernels = (_RED_OR_BLUE, _GREEN, _RED_OR_BLUE)
    channels = [
        gain * cv2.filter2D(cells[..., c], -1, kernel)
        for c, (gain, kernel) in enumerate(zip(_WHITE_BALANCE, kernels, strict=True))
    ]
    return _of_deviation_1(_ycc(np.asarray(cv2.merge(channels), np.float32)))


def smoothed(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """The same as a phone's noise reduction leaves it: coarser, that of the colours most."""
    sizes = (SIZE_LUMA, SIZE_CHROMA, SIZE_CHROMA)
    planes = [cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), size) for size in sizes]
    return _of_deviation_1(np.asarray(cv2.merge(planes), np.float32))


KINDS: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "demosaiced": demosaiced, "smoothed": smoothed,
}  # fmt: skip


def noisy(pixels: Pixels, kind: str, level: int, seed: int) -> Pixels:
    """``(h, w, 3)`` uint8 BGR with noise."""
    height, width = pixels.shape[:2]
    luma, chroma = LEVELS[level]
    noise = KINDS[kind](np.random.default_rng(seed), (height, width))
    ycc = cv2.cvtColor(pixels, cv2.COLOR_BGR2YCrCb) + noise * np.array([luma, chroma, chroma], np.float32)
    return np.asarray(cv2.cvtColor(np.clip(ycc + 0.5, 0, 255).astype(np.uint8), cv2.COLOR_YCrCb2BGR), np.uint8)


def compressed(pixels: Pixels, quality: int) -> Pixels:
    """Encoded as JPEG and decoded; as it was for quality 0."""
    if not quality:
        return pixels
    file = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)


def smeared(pixels: Pixels, length: float, angle: float) -> Pixels:
    """Moved while it was exposed: the mean of copies along a path of ``length`` px, ``angle`` degrees clockwise."""
    height, width = pixels.shape[:2]
    turn = np.deg2rad(angle)
    steps = np.linspace(-length / 2, length / 2, max(2, round(_SAMPLES * length)))
    total = np.zeros(pixels.shape, np.float32)
    for step in steps:
        shift = np.array([[1, 0, step * np.cos(turn)], [0, 1, step * np.sin(turn)]], np.float32)
        total += cv2.warpAffine(pixels.astype(np.float32), shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.round(total / len(steps)), np.uint8)


def _of_deviation_1(noise: Floats) -> Floats:
    return np.asarray(noise / noise.std(axis=(0, 1)), np.float32)


def _ycc(bgr: Floats) -> Floats:
    luma = np.asarray(bgr @ np.array([0.114, 0.587, 0.299], np.float32), np.float32)
    return np.dstack([luma, 0.713 * (bgr[..., 2] - luma), 0.564 * (bgr[..., 0] - luma)])
