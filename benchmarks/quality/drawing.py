"""Draws things before faces: shapes as polygons, textures, light and shadow; ``things.py`` says which things.

The figures that are published come from ``others.py``, which has other things and draws them in another way.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from benchmarks.quality.faces import Random, Shot

from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

FINER = 3  # px of the drawing per px of the photo, each way


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Where the parts of a face are; lengths in face widths, x to the image's right, y down along the face."""

    shot: Shot

    def at(self, point: int | tuple[int, ...]) -> Floats:
        """Of a landmark or of the middle of some."""
        chosen = [point] if isinstance(point, int) else list(point)
        return np.asarray(self.shot.points[chosen, :2].mean(axis=0), np.float32)

    def px(self, origin: Floats, offsets: Floats) -> Floats:
        """``(N, 2)`` px of offsets from a place."""
        across = self.shot.points[263, :2] - self.shot.points[33, :2]
        cos, sin = across / np.linalg.norm(across)
        turn = np.array([[cos, sin], [-sin, cos]], np.float32)
        return np.asarray(origin + np.asarray(offsets, np.float32) @ turn * np.float32(self.shot.width), np.float32)

    @property
    def mouth(self) -> Floats:
        """px."""
        return self.at(topology.MOUTH_MIDDLE)

    @property
    def nose(self) -> Floats:
        """px."""
        return self.at(1)

    def eye(self, side: int) -> Floats:
        """px; 0 is on the image's left."""
        return self.at(topology.RIGHT_EYE if side == 0 else topology.LEFT_EYE)


@dataclass(slots=True, eq=False)
class Piece:
    """One part of a thing.

    Attributes:
        mask: ``(3 H, 3 W)`` uint8.
        colour: ``(H, W, 3)`` float32 levels.
    """

    mask: Pixels
    colour: Floats


def circle(centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> Floats:
    """An ellipse as a polygon; face widths."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x, y = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([centre[0] + cos * x - sin * y, centre[1] + sin * x + cos * y], axis=1).astype(np.float32)


def strip(start: tuple[float, float], end: tuple[float, float], widths: tuple[float, float]) -> Floats:
    """A straight strip; face widths."""
    a, b = np.array(start, np.float32), np.array(end, np.float32)
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    side = np.array([-along[1], along[0]], np.float32)
    corners = [a + side * widths[0] / 2, b + side * widths[1] / 2, b - side * widths[1] / 2, a - side * widths[0] / 2]
    return np.stack(corners).astype(np.float32)


def filled(frame: Frame, origin: Floats, *loops: Floats) -> Pixels:
    """The mask of some polygons."""
    height, width = frame.shot.pixels.shape[:2]
    mask: Pixels = np.zeros((FINER * height, FINER * width), np.uint8)
    for loop in loops:
        fine = (frame.px(origin, loop) + 0.5) * FINER - 0.5
        cv2.fillPoly(mask, [np.round(fine).astype(np.int32)], 255)
    return mask


def octaves(shape: tuple[int, ...], rng: Random, finest: float, coarsest: float) -> Floats:
    """``(H, W, 1)`` float32 noise of standard deviation 1 between two lengths in px."""
    height, width = shape[:2]
    total = np.zeros((height, width), np.float32)
    length = coarsest
    while length >= finest:
        size = max(2, round(width / length)), max(2, round(height / length))
        coarse = rng.normal(0, 1, (size[1], size[0])).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(np.sqrt(length))
        length /= 2
    return np.asarray(total / max(float(total.std()), 1e-6), np.float32)[..., None]


def material(frame: Frame, rng: Random, colour: Floats, rough: float, pattern: str = "") -> Floats:
    """``(H, W, 3)`` float32: a colour with grain, soft light from one side and perhaps a pattern."""
    shape, width = frame.shot.pixels.shape, frame.shot.width
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = (np.cos(angle) * x + np.sin(angle) * y) / width
    light = 1 + rng.uniform(0.05, 0.5) * (slope - slope.mean())
    light = light[..., None] * (1 + rough * 0.12 * octaves(shape, rng, 1.0, max(2.0, 0.25 * width)))
    pixels = np.asarray(colour, np.float32) * np.clip(light, 0.25, 1.9)
    if pattern:
        pixels = pixels * (1 - rng.uniform(0.3, 0.8) * _pattern(pattern, x / width, y / width, rng)[..., None])
    return np.asarray(pixels, np.float32)


def _pattern(name: str, x: Floats, y: Floats, rng: Random) -> Floats:
    pitch, angle = rng.uniform(0.03, 0.12), rng.uniform(0, np.pi)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    waves = np.sin(2 * np.pi * u / pitch), np.sin(2 * np.pi * v / pitch)
    if name == "mesh":
        return np.asarray((np.maximum(*waves) > 0.6), np.float32)
    if name == "stripes":
        return np.asarray(waves[0] > 0, np.float32)
    if name == "dots":
        return np.asarray(waves[0] + waves[1] > 1.1, np.float32)
    return np.asarray(waves[0] * waves[1] > 0, np.float32)  # checks


def bright(rng: Random) -> Floats:
    """Any colour."""
    hue = np.array([[[rng.integers(0, 180), rng.integers(90, 256), rng.integers(60, 250)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0], np.float32)


def dull(rng: Random) -> Floats:
    """Black, grey, white, brown or beige."""
    base = [(28, 28, 30), (70, 72, 75), (140, 140, 140), (225, 228, 230), (40, 65, 110), (150, 185, 210), (90, 60, 40)]
    return np.array(base[rng.integers(len(base))], np.float32) * np.float32(rng.uniform(0.7, 1.1))


def any_colour(rng: Random) -> Floats:
    """Bright or dull."""
    return bright(rng) if rng.random() < 0.5 else dull(rng)


def patterned(rng: Random, chance: float = 0.4) -> str:
    """The name of a pattern, or nothing."""
    return str(rng.choice(["mesh", "stripes", "dots", "checks"])) if rng.random() < chance else ""


def skin_of(frame: Frame, rng: Random) -> Floats:
    """The face's own colour, a little darker, lighter or redder: a hand in the same light."""
    points = np.round(frame.shot.points[list(topology.CORE_SKIN), :2]).astype(int)
    points = np.clip(points, 0, np.array(frame.shot.pixels.shape[1::-1]) - 1)
    colour = np.median(frame.shot.pixels[points[:, 1], points[:, 0]], axis=0)
    return np.asarray(colour * rng.uniform(0.68, 1.12) * rng.uniform(0.94, 1.06, 3), np.float32)


def laid(shot: Shot, pieces: list[Piece], rng: Random) -> tuple[Pixels, Floats]:
    """The photo with a thing before the face, and the thing's share of each pixel, ``(H, W)`` float32."""
    height, width = shot.pixels.shape[:2]
    pixels, covered = np.asarray(shot.pixels, np.float32), np.zeros((height, width), np.float32)
    soft = rng.uniform(0.4, 0.8) + 0.002 * shot.width
    whole = np.zeros_like(pieces[0].mask)
    for piece in pieces:
        whole = np.maximum(whole, piece.mask)
    shadow = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
    shift = rng.uniform(-0.04, 0.06, 2) * shot.width
    moved = cv2.warpAffine(shadow, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), (width, height))
    fall = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.015, 0.06) * shot.width + 0.5)
    pixels = pixels * (1 - rng.uniform(0, 0.45) * fall)[..., None]
    for piece in pieces:
        small = cv2.resize(piece.mask, (width, height), interpolation=cv2.INTER_AREA)
        alpha = cv2.GaussianBlur(np.asarray(small, np.float32) / np.float32(255), (0, 0), soft)
        edge = cv2.GaussianBlur(alpha, (0, 0), 0.03 * shot.width + 0.5)
        rounded = piece.colour * (0.72 + 0.28 * np.clip(edge * 1.6 - 0.3, 0, 1))[..., None]
        pixels = pixels * (1 - alpha[..., None]) + rounded * alpha[..., None]
        covered = np.maximum(covered, alpha)
    return np.asarray(np.clip(pixels, 0, 255), np.uint8), np.asarray(covered, np.float32)
