"""Gives the noise of a photo to a face drawn into it.

The finest noise is the photo's own, taken from where the face comes to lie: so its grain, its change with brightness
and what the codec left of it are right. Where the photo shows more than noise there (eyes, lips, wrinkles), and in
octaves of luma in which skin has more detail than a camera has noise, noise of the same strength is made.
"""

from __future__ import annotations

import zlib
from functools import cache

import cv2
import numpy as np

from facefleet.engine.mesh.noise import CHROMA_THIRD, OCTAVES, Noise, octaves_of, planes_of, variance_of
from facefleet.engine.types import Floats, Pixels

TAKEN = 3  # octaves of chroma that are the photo's own; of luma, the finest alone
STRUCTURE = 3.0, 7.0, 4.0  # by octave, variance over that of the noise from which there is more; JPEG makes it uneven
# Over what is left of it where made and taken octaves overlap, and of what the gates hold back; Y, Cr and Cb.
LOSS = np.array([[1.06, 1, 1], [1.6, 1.2, 1.2], [1.2, 1.3, 1.3], [0.9, 1.5, 1.5]], np.float32)
_TILE = 512  # px
_STEP, _STARTS = 8, 32  # px between places at which made noise can begin, and their number each way
_TO_BGR = np.array([[1, 0, 1.773], [1, -0.714, -0.344], [1, 1.403, 0]], np.float32)  # from Y, Cr and Cb, Rec. 601


def with_noise(pixels: Pixels, own: Noise, noise: Noise, below: Pixels, features: Pixels) -> Pixels:
    """A drawn face as noisy as the photo below.

    Args:
        pixels: ``(h, w, 3)`` uint8 BGR.
        own: Of these pixels.
        noise: Of the photo below.
        below: ``(h, w, 3)`` uint8 BGR, the photo below.
        features: ``(h', w')`` uint8, over 0 where that shows eyes, brows, nostrils and lips.
    """
    start = zlib.crc32(np.ascontiguousarray(below[::16, ::16]).tobytes())
    share = noise.lacking(own) * LOSS
    wanted = noise.strength * share
    total = noise.total.copy()
    total[2] = np.minimum(total[2], CHROMA_THIRD * total[1])
    octaves = octaves_of(planes_of(below), TAKEN)
    height, width = octaves[-1].shape[:2]
    coarsest = _made(OCTAVES - 1, ((height + 1) // 2, (width + 1) // 2), start)
    joined = coarsest * wanted[-1]
    for k in reversed(range(TAKEN)):
        size = octaves[k].shape[1::-1]
        layer = _octave(octaves[k], _gate(octaves[k], total[k], features, k), share[k], wanted[k], start, k)
        joined = np.asarray(cv2.add(layer, cv2.pyrUp(joined, dstsize=size), dst=layer), np.float32)
    return np.asarray(cv2.add(pixels, cv2.transform(joined, _TO_BGR), dtype=cv2.CV_8U), np.uint8)


def _gate(octave: Floats, total: Floats, features: Pixels, k: int) -> Floats:
    """``(h / 2, w / 2)``, 1 where the photo shows no more than noise: in luma for the finest octave, else in chroma."""
    if k == 0:
        noise, channels = cv2.extractChannel(octave, 0), slice(0, 1)
    else:
        noise, channels = cv2.magnitude(cv2.extractChannel(octave, 1), cv2.extractChannel(octave, 2)), slice(1, 3)
    near = variance_of(np.asarray(noise, np.float32)) + np.float32(1e-6)
    gate = np.minimum(np.float32(STRUCTURE[k] * np.square(total[channels]).sum()) / near, 1)
    gate[cv2.resize(features, gate.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0] = 0
    return np.asarray(gate, np.float32)


def _octave(octave: Floats, gate: Floats, share: Floats, wanted: Floats, start: int, k: int) -> Floats:
    """The photo's own noise as far as the gate is open, and made noise for the rest."""
    size = octave.shape[1::-1]
    rest = cv2.sqrt(1 - cv2.multiply(gate, gate))
    luma = gate, rest
    if k:  # made alone
        luma = np.zeros_like(gate), np.ones_like(gate)
    kept, filled = (
        cv2.merge([first * part[0], other * part[1], other * part[2]])
        for first, other, part in ((luma[0], gate, share), (luma[1], rest, wanted))
    )
    kept, filled = (cv2.resize(weight, size, interpolation=cv2.INTER_NEAREST) for weight in (kept, filled))
    taken = cv2.multiply(kept, octave, dst=kept)
    made = cv2.multiply(filled, _made(k, octave.shape, start), dst=filled)
    return np.asarray(cv2.add(taken, made, dst=taken), np.float32)


def _made(octave: int, shape: tuple[int, ...], start: int) -> Floats:
    """``(h, w, 3)``: one octave of noise, of deviation 1; ``start`` says where in the tile it begins."""
    tile = _tiles()[octave]
    y, x = (step % _STARTS * _STEP >> octave for step in (start, start // _STARTS))
    height, width = shape[0] + y, shape[1] + x
    if height > tile.shape[0] or width > tile.shape[1]:
        around = (0, max(0, height - tile.shape[0]), 0, max(0, width - tile.shape[1]))
        tile = np.asarray(cv2.copyMakeBorder(tile, *around, cv2.BORDER_WRAP), np.float32)
    return tile[y:height, x:width]


@cache
def _tiles() -> list[Floats]:
    """The octaves of one picture of noise: those of several would cancel each other in part where they overlap."""
    octaves = octaves_of(np.random.default_rng(1996).standard_normal((_TILE, _TILE, 3), np.float32), OCTAVES)
    return [np.asarray(octave / octave.std(axis=(0, 1)), np.float32) for octave in octaves]
