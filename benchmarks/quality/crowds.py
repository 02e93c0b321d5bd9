"""Builds large photos by seed: faces of the samples at known sizes and angles, on backgrounds in which nobody is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.steps.resample import halved
from facefleet.engine.types import Face, Floats, Pixels

CROP = 2.0  # of the face's long side: head, hair and some of what is around them
MAX_YAW = 30.0  # degrees
MAX_ENLARGED = 1.6  # beyond, a pasted face is a blur
GAP = 1.1  # of two crops' half sides, between their centres
NOISE_LEVELS = 3
TRIES = 400  # places that are tried for one face


@dataclass(frozen=True, slots=True)
class Scene:
    """A photo to build.

    Attributes:
        width: px.
        height: px.
        background: One of ``BACKGROUNDS``.
        sizes: Short side of each face's box, px.
        turned: Every face is turned by any angle; else by 20° at most.
        seed: Of all that is drawn by chance.
    """

    width: int
    height: int
    background: str
    sizes: tuple[int, ...]
    turned: bool
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A face that is in a scene.

    Attributes:
        size: Short side of its box, px.
        angle: By which it is turned clockwise against the sample, degrees.
        points: ``(5, 2)`` float32 px, as ``Face.landmarks5``.
    """

    size: int
    angle: float
    points: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Who may be pasted, and who must not be left in a background: photos and a face of each."""

    people: tuple[tuple[Pixels, Face], ...]
    everyone: tuple[tuple[Pixels, Face], ...]

    @classmethod
    def of(cls, photos: Mapping[str, bytes], engine: Engine) -> Cast:
        """Every face of the samples; who looks towards the camera may be pasted."""
        everyone: list[tuple[Pixels, Face]] = []
        for photo in photos.values():
            pixels = decode(photo).pixels
            everyone += [(pixels, face) for face in engine.faces(photo).faces]
        people = tuple(one for one in everyone if abs(one[1].pose.yaw) <= MAX_YAW)
        return cls(people, tuple(everyone))


def build(scene: Scene, cast: Cast) -> tuple[Pixels, list[Placed]]:
    """The photo, ``(H, W, 3)`` uint8 BGR, and who is in it."""
    rng = np.random.default_rng(scene.seed)
    canvas = BACKGROUNDS[scene.background](rng, scene.width, scene.height, cast)
    centres: list[tuple[float, float, float]] = []
    placed = []
    for size in sorted(scene.sizes, reverse=True):
        fits = [one for one in cast.people if size <= MAX_ENLARGED * one[1].box.short_side]
        pixels, face = fits[int(rng.integers(len(fits)))]
        angle = float(rng.uniform(-180, 180) if scene.turned else rng.uniform(-20, 20))
        half = CROP / 2 * size * max(face.box.width, face.box.height) / face.box.short_side
        place = _free_place(rng, scene, half, centres)
        if place is not None:
            centres.append((*place, half))
            placed.append(Placed(size, angle, _paste(canvas, pixels, face, size, angle, place, half)))
    return _noisy(canvas, rng), placed


def _free_place(
    rng: np.random.Generator, scene: Scene, half: float, others: list[tuple[float, float, float]]
) -> tuple[float, float] | None:
    for _ in range(TRIES):
        x, y = rng.uniform(half, scene.width - half), rng.uniform(half, scene.height - half)
        if all(max(abs(x - ox), abs(y - oy)) > GAP * (half + other) for ox, oy, other in others):
            return float(x), float(y)
    return None


def _paste(
    canvas: Pixels, pixels: Pixels, face: Face, size: int, angle: float, place: tuple[float, float], half: float
) -> Floats:
    """Draw a face with a soft round edge; its five points."""
    box, side = face.box, int(np.ceil(2 * half))
    left, top = round(place[0] - half), round(place[1] - half)
    affine = _turned_crop(box.x + box.width / 2, box.y + box.height / 2, size / box.short_side, angle, side)
    person, local = pixels, affine.copy()
    while size / box.short_side * (person.shape[1] and pixels.shape[1] / person.shape[1]) < 0.5:
        person = halved(person)
        local = np.column_stack([2 * local[:, :2], local[:, 2] + local[:, :2].sum(axis=1) / 2])
    crop = cv2.warpAffine(person, local, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    y, x = np.mgrid[:side, :side]
    away = np.hypot(x - (side - 1) / 2, y - (side - 1) / 2) / half
    alpha = np.clip((1 - away) / 0.2, 0, 1)[..., None].astype(np.float32)
    under = canvas[top : top + side, left : left + side]
    alpha, crop = alpha[: under.shape[0], : under.shape[1]], crop[: under.shape[0], : under.shape[1]]
    under[:] = np.round(alpha * crop + (1 - alpha) * under)
    points = face.landmarks5 @ affine[:, :2].T + affine[:, 2] + (left, top)
    return np.asarray(points, np.float32)


def _turned_crop(x: float, y: float, scale: float, angle: float, side: int) -> np.ndarray:
    affine = cv2.getRotationMatrix2D((x, y), -angle, scale)
    affine[:, 2] += np.array([(side - 1) / 2 - x, (side - 1) / 2 - y])
    return np.asarray(affine)


def _noisy(canvas: Pixels, rng: np.random.Generator) -> Pixels:
    """With noise of a camera, drawn once for every 256 rows: it need not differ more."""
    strip = rng.integers(-NOISE_LEVELS, NOISE_LEVELS + 1, (256, canvas.shape[1], 3), np.int16)
    for top in range(0, canvas.shape[0], 256):
        rows = canvas[top : top + 256]
        rows[:] = np.clip(rows + strip[: rows.shape[0]], 0, 255)
    return canvas


def _gradient(rng: np.random.Generator, width: int, height: int, _: Cast) -> Pixels:
    corners = rng.integers(20, 236, (2, 2, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _clouds(rng: np.random.Generator, width: int, height: int, _: Cast) -> Pixels:
    """Noise of every scale, as strong at each."""
    return _octaves(rng, width, height, 1.0)


def _foliage(rng: np.random.Generator, width: int, height: int, _: Cast) -> Pixels:
    """Leaves: turned ellipses of many sizes over one another, on fine noise."""
    canvas = _octaves(rng, width, height, 0.6)
    for _number in range(6000):
        centre = int(rng.integers(width)), int(rng.integers(height))
        long = float(rng.exponential(40) + 6)
        shade = float(rng.uniform(0.3, 1.2))
        green = (int(60 * shade), int(rng.integers(90, 180) * shade), int(rng.integers(40, 130) * shade))
        axes = int(long), int(long * rng.uniform(0.2, 0.6)) + 1
        cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, green, -1, cv2.LINE_AA)
    return canvas


def _patchwork(rng: np.random.Generator, width: int, height: int, cast: Cast) -> Pixels:
    """Parts of the samples, clothes, hair and rooms, each far from any face or with the faces covered."""
    canvas = _octaves(rng, width, height, 0.5)
    side = max(width, height) // 14
    for top in range(0, height, side):
        for left in range(0, width, side):
            part = _bare_part(rng, cast)
            patch = np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
            under = canvas[top : top + side, left : left + side]
            under[:] = patch[: under.shape[0], : under.shape[1]]
    return canvas


def _bare_part(rng: np.random.Generator, cast: Cast) -> Pixels:
    pixels, _ = cast.people[int(rng.integers(len(cast.people)))]
    bare = pixels.copy()
    for other, face in cast.everyone:
        if other is pixels:
            box = face.box
            centre = round(box.x + box.width / 2), round(box.y + box.height / 2)
            cv2.circle(bare, centre, round(0.8 * max(box.width, box.height)), rng.integers(0, 256, 3).tolist(), -1)
    size = int(rng.integers(80, 200))
    x, y = (int(rng.integers(max(1, length - size))) for length in (pixels.shape[1], pixels.shape[0]))
    return bare[y : y + size, x : x + size]


def _octaves(rng: np.random.Generator, width: int, height: int, roughness: float) -> Pixels:
    total = np.zeros((height, width, 3), np.float32)
    for cells, weight in _weights(max(width, height), roughness):
        size = max(2, cells * width // max(width, height)), max(2, cells * height // max(width, height))
        grid = rng.normal(0, 1, (size[1], size[0], 3)).astype(np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    scaled = 110 + 45 * total / max(float(total[::16, ::16].std()), 1e-6)
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def _weights(side: int, roughness: float) -> Iterator[tuple[int, float]]:
    cells, weight = 4, 1.0
    while cells < side / 2:
        yield cells, weight
        cells, weight = cells * 4, weight * roughness


BACKGROUNDS = {"gradient": _gradient, "clouds": _clouds, "foliage": _foliage, "patchwork": _patchwork}
