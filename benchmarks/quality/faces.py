"""Faces of the sample photos, photographed anew: other light, skin, make-up, beard, size, camera; nothing before them.

Both builders of things before faces start here. Everything follows from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

DARK_GLASSES = ("friends/3",)
ARM_BEFORE = ("bearded_man/0",)  # the photo itself has a hand before the brow
MAX_YAW = 32.0  # degrees
CROP = 0.5  # box sides round the face that are kept
VARIANTS = (
    "as it is", "side light", "dark skin", "deep skin", "light skin", "make-up", "beard", "hat shadow", "dim", "warm",
    "grey", "soft", "noisy", "shadow of a nose", "blush",
)  # fmt: skip
Random = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One photo of one face.

    Attributes:
        name: Sample and index.
        pixels: ``(H, W, 3)`` uint8 BGR.
        points: ``(468, 3)`` px.
        variant: How it was changed.
    """

    name: str
    pixels: Pixels
    points: Floats
    variant: str = "as it is"

    @property
    def width(self) -> float:
        """Of the face, px."""
        right, left = (self.points[point, :2] for point in topology.CHEEKS)
        return float(np.linalg.norm(left - right))


Change = Callable[[Floats, Shot, Random], Floats]


def shots(engine: Engine, samples: Mapping[str, Path]) -> list[Shot]:
    """Every face of the samples that can be a source, cut out with its surroundings."""
    made = []
    for name, path in sorted(samples.items()):
        if name == "mask":
            continue
        pixels = decode(path.read_bytes()).pixels
        for face in engine.faces(path.read_bytes()).faces:
            if abs(face.pose.yaw) > MAX_YAW or f"{name}/{face.index}" in ARM_BEFORE:
                continue
            margin = CROP * max(face.box.width, face.box.height)
            x0, y0 = max(0, round(face.box.x - margin)), max(0, round(face.box.y - margin))
            x1, y1 = round(face.box.x + face.box.width + margin), round(face.box.y + face.box.height + margin)
            points = face.landmarks - np.array([x0, y0, 0], np.float32)
            made.append(Shot(f"{name}/{face.index}", np.array(pixels[y0:y1, x0:x1]), points))
    return made


def sized(shot: Shot, width: float, *, mirrored: bool = False) -> Shot:
    """With a face of this width, px; mirrored where asked for."""
    scale = width / shot.width
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(shot.pixels, None, fx=scale, fy=scale, interpolation=how), np.uint8)
    points = np.asarray(shot.points * np.float32(scale), np.float32)
    if mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        points = points[topology.topology().mirror] * np.array([-1, 1, 1], np.float32)
        points[:, 0] += pixels.shape[1] - 1
    return replace(shot, pixels=pixels, points=points)


def varied(shot: Shot, variant: str, rng: Random) -> Shot:
    """The same face in other light or paint; see ``VARIANTS``."""
    pixels = np.asarray(shot.pixels, np.float32)
    if variant in _LIGHT:
        pixels = _LIGHT[variant](pixels, shot, rng)
    return replace(shot, pixels=np.asarray(np.clip(pixels, 0, 255), np.uint8), variant=variant)


def photographed(pixels: Pixels, rng: Random) -> Pixels:
    """As JPEG of a good or middling camera."""
    return decode(jpeg(pixels, rng)).pixels


def jpeg(pixels: Pixels, rng: Random) -> bytes:
    """The file."""
    quality = int(rng.integers(78, 97))
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def hull(shot: Shot, points: tuple[int, ...], soften: float, grow: float = 0.0) -> Floats:
    """``(H, W, 1)`` float32, 1 inside the hull of some points; lengths in face widths."""
    mask = np.zeros(shot.pixels.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(shot.points[list(points), :2]).astype(np.int32)), 255)
    return _soft(mask, soften * shot.width, grow * shot.width)


def _soft(mask: Pixels, soften: float, grow: float = 0.0) -> Floats:
    if grow > 0:
        mask = np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(grow))), np.uint8)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, soften)), np.float32)[..., None] / np.float32(255)


def _side_light(pixels: Floats, shot: Shot, rng: Random) -> Floats:
    middle = shot.points[:, 0].mean() + rng.uniform(-0.2, 0.2) * shot.width
    side, hardness = rng.choice([-1, 1]), rng.uniform(0.06, 0.4) * shot.width
    x = np.arange(pixels.shape[1], dtype=np.float32)[None, :, None]
    dark = 1 / (1 + np.exp(np.clip(-side * (x - middle) / hardness, -30, 30)))
    return np.asarray(pixels * (1 - dark * rng.uniform(0.3, 0.65)) * 1.1, np.float32)


def _darker_skin(low: float, high: float) -> Change:
    def change(pixels: Floats, shot: Shot, rng: Random) -> Floats:
        """Melanin takes blue before green before red."""
        share = rng.uniform(low, high)
        powers = np.array([1.45, 1.15, 0.85], np.float32)
        over = hull(shot, topology.OVAL, 0.12, 0.08)
        eyes = np.maximum(hull(shot, topology.RIGHT_EYE, 0.01), hull(shot, topology.LEFT_EYE, 0.01))
        over = np.asarray(over * (1 - 0.6 * np.maximum(eyes, hull(shot, topology.LIPS_INNER, 0.01))), np.float32)
        return np.asarray(pixels * (1 - over) + pixels * share**powers * over, np.float32)

    return change


def _make_up(pixels: Floats, shot: Shot, rng: Random) -> Floats:
    lips = np.maximum(hull(shot, topology.LIPS_OUTER, 0.008) - hull(shot, topology.LIPS_INNER, 0.008), 0)
    colour = np.array([(60, 20, 150), (90, 40, 200), (40, 20, 90), (120, 70, 190)][rng.integers(4)], np.float32)
    light = pixels.mean(axis=2, keepdims=True) / 128
    pixels = pixels * (1 - 0.75 * lips) + 0.75 * lips * colour * light
    shade = np.array([(90, 60, 60), (110, 60, 90), (50, 50, 70), (120, 90, 40)][rng.integers(4)], np.float32)
    for eye, brow in ((topology.RIGHT_EYE, topology.RIGHT_BROW), (topology.LEFT_EYE, topology.LEFT_BROW)):
        lid = np.clip(hull(shot, (*eye, *brow), 0.02) - 1.3 * hull(shot, eye, 0.006), 0, 1) * 0.5
        pixels = np.asarray(pixels * (1 - lid) + lid * shade, np.float32)
        line = np.clip(hull(shot, eye, 0.006, 0.012) - hull(shot, eye, 0.004), 0, 1) * 0.7
        pixels = np.asarray(pixels * (1 - line) + line * 25, np.float32)
    return np.asarray(pixels, np.float32)


def _beard(pixels: Floats, shot: Shot, rng: Random) -> Floats:
    lower = hull(shot, topology.LOWER_FACE, 0.03) - hull(shot, (*topology.NOSTRILS, 117, 346, 50, 280, 197), 0.04, 0.03)
    area = np.clip(lower - 1.5 * hull(shot, topology.LIPS_OUTER, 0.015), 0, 1)
    noise = rng.normal(0, 1, pixels.shape[:2]).astype(np.float32)
    hairs = cv2.GaussianBlur(noise, (0, 0), sigmaX=0.5, sigmaY=max(0.6, 0.012 * shot.width))
    hairs = np.clip(0.5 + 0.35 * hairs / max(float(hairs.std()), 1e-6), 0, 1)[..., None]
    share = area * hairs * rng.uniform(0.4, 1.0)
    colour = np.array([(22, 24, 30), (30, 45, 75), (60, 60, 65), (120, 120, 122)][rng.integers(4)], np.float32)
    return np.asarray(pixels * (1 - share) + share * colour, np.float32)


def _hat_shadow(pixels: Floats, shot: Shot, rng: Random) -> Floats:
    edge = shot.points[[168, 6][rng.integers(2)], 1] + rng.uniform(-0.1, 0.05) * shot.width
    slope, hard = rng.uniform(-0.15, 0.15), rng.uniform(0.01, 0.06) * shot.width
    x = np.arange(pixels.shape[1], dtype=np.float32)[None, :]
    y = np.arange(pixels.shape[0], dtype=np.float32)[:, None]
    dark = 1 / (1 + np.exp(np.clip((y - edge - slope * (x - shot.points[:, 0].mean())) / hard, -30, 30)))
    return np.asarray(pixels * (1 - rng.uniform(0.3, 0.55) * dark[..., None]), np.float32)


def _nose_shadow(pixels: Floats, shot: Shot, rng: Random) -> Floats:
    side = int(rng.integers(2))
    loop = ((168, 6, 195, 4, 2, 205 if side else 425, 50 if side else 280), (6, 4, 164, 216 if side else 436, 101))[
        int(rng.integers(2))
    ]
    return np.asarray(pixels * (1 - rng.uniform(0.3, 0.5) * hull(shot, loop, 0.015)), np.float32)


def _blush(pixels: Floats, shot: Shot, rng: Random) -> Floats:
    for loop in ((50, 101, 118, 123, 187), (280, 330, 347, 352, 411)):
        over = hull(shot, loop, 0.05) * rng.uniform(0.3, 0.6)
        pixels = pixels * (1 - over * np.array([0.3, 0.35, 0.02], np.float32))
    return np.asarray(pixels, np.float32)


def _grey(pixels: Floats, _shot: Shot, _rng: Random) -> Floats:
    return np.repeat(pixels @ np.array([[0.114], [0.587], [0.299]], np.float32), 3, axis=2)


def _dim(pixels: Floats, _shot: Shot, rng: Random) -> Floats:
    return np.asarray(255 * (pixels / 255) ** rng.uniform(1.3, 2.0), np.float32)


def _light_skin(pixels: Floats, _shot: Shot, rng: Random) -> Floats:
    return np.asarray(255 * (pixels / 255) ** rng.uniform(0.6, 0.85), np.float32)


def _warm(pixels: Floats, _shot: Shot, rng: Random) -> Floats:
    lamps = ((0.65, 0.95, 1.15), (1.2, 1.0, 0.8), (0.9, 1.1, 0.9), (0.75, 0.9, 1.2))
    return np.asarray(pixels * np.array(lamps[rng.integers(4)], np.float32), np.float32)


def _soft_focus(pixels: Floats, shot: Shot, rng: Random) -> Floats:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.006, 0.018) * shot.width + 0.3), np.float32)


def _noisy(pixels: Floats, _shot: Shot, rng: Random) -> Floats:
    grain = cv2.GaussianBlur(rng.normal(0, 1, pixels.shape).astype(np.float32), (0, 0), rng.uniform(0.3, 0.9))
    return np.asarray(pixels + grain / grain.std() * rng.uniform(4, 11), np.float32)


_LIGHT: dict[str, Change] = {
    "side light": _side_light,
    "dark skin": _darker_skin(0.45, 0.65),
    "deep skin": _darker_skin(0.28, 0.42),
    "light skin": _light_skin,
    "make-up": _make_up,
    "beard": _beard,
    "hat shadow": _hat_shadow,
    "dim": _dim,
    "warm": _warm,
    "grey": _grey,
    "soft": _soft_focus,
    "noisy": _noisy,
    "shadow of a nose": _nose_shadow,
    "blush": _blush,
}
