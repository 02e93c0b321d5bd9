"""Resamples pixels; what OpenCV does slowly for three channels is done with four."""

from __future__ import annotations

import cv2
import numpy as np

from facefleet.engine.types import Floats, Pixels

LEAST_AREA = 2.0  # px of the image per px of the result from which two samples a side would skip some


def is_near(pixels: Pixels, size: tuple[int, int]) -> bool:
    """Whether pixels are so few for a size that two bilinear samples a side skip none."""
    return bool(pixels.shape[1] <= LEAST_AREA * size[0] and pixels.shape[0] <= LEAST_AREA * size[1])


def shrunk(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Pixels at a smaller size; none is skipped.

    Args:
        pixels: ``(H, W, 3)`` uint8.
        size: Width and height of the result.
    """
    how = cv2.INTER_LINEAR if is_near(pixels, size) else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def halved(pixels: Pixels) -> Pixels:
    """The exact mean of every four pixels; an odd last row or column is left out."""
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    even = pixels[: 2 * height, : 2 * width]  # only then is it a mean of four
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def warped(pixels: Pixels, affine: Floats, size: int) -> Pixels:
    """A square of an image, black where it lies outside.

    Args:
        pixels: ``(H, W, 3)`` uint8 BGR.
        affine: ``(2, 3)``, px of the square to px of the image.
        size: Side of the square, px.

    Returns:
        ``(size, size, 3)`` uint8 RGB.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA), affine, (size, size), flags=flags)
    return np.asarray(cv2.cvtColor(square, cv2.COLOR_BGRA2RGB), np.uint8)
