"""Builds the scenes that the engine learns from, straightened, and changes them by chance.

Faces are those of samples whose licence allows to publish what is made from them; things are those of ``things.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from benchmarks.quality import faces, things
from benchmarks.quality.expressions import expressed

from facefleet.engine.mesh import canonical, occlusion
from facefleet.engine.steps.landmarks import Landmarker, Mesh
from facefleet.engine.types import Floats, Pixels

CLEAN_SHARE = 0.35  # of the scenes
UNMIXED = 0.35  # of the scenes; the others get part of another face


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A scene in the canonical frame.

    Attributes:
        face: ``(HEIGHT, WIDTH, 3)`` uint8 BGR.
        covered: ``(HEIGHT, WIDTH)`` float32.
        counts: ``(HEIGHT, WIDTH)`` bool, whether the pixel says something.
        name: Of the person.
    """

    face: Pixels
    covered: Floats
    counts: np.ndarray
    name: str = ""


def examples(shots: list[faces.Shot], landmarker: Landmarker, count: int, seed: int) -> Iterator[Example]:
    """So many scenes; those in which the landmark model sees no face are left out."""
    rng = np.random.default_rng(seed)
    kinds = list(things.KINDS)
    for number in range(count):
        shot = faces.sized(shots[number % len(shots)], rng.uniform(60, 150), mirrored=bool(rng.random() < 0.5))
        if rng.random() < 0.6:
            shot = expressed(shot, rng)
        shot = faces.varied(shot, str(rng.choice(faces.VARIANTS)), rng)
        if rng.random() < 0.25:
            shot = faces.varied(shot, str(rng.choice(("soft", "noisy", "warm", "dim", "side light"))), rng)
        covered = np.zeros(shot.pixels.shape[:2], np.float32)
        pixels = shot.pixels
        if rng.random() > CLEAN_SHARE:
            pixels, covered = things.before(shot, kinds[rng.integers(len(kinds))], rng)
        pixels = faces.photographed(pixels, rng)
        mesh = landmarker.locate(pixels, Mesh(shot.points, 1.0).square())
        if mesh is not None:
            yield replace(_example(pixels, covered, mesh.points), name=shot.name)


def _example(pixels: Pixels, covered: Floats, points: Floats) -> Example:
    levels = np.asarray(np.round(255 * covered), np.uint8)
    share = np.asarray(canonical.straightened(levels, points[:, :2]), np.float32) / np.float32(255)
    small = canonical.straightened(occlusion.near(pixels, points), points * np.float32(occlusion.scale_of(points)))
    counts = canonical.inner() & ((share < 0.25) | (share > 0.6))
    return Example(np.asarray(small, np.uint8), np.asarray(share, np.float32), counts)


def disturbed(one: Example, rng: faces.Random) -> Example:
    """The same scene with uneven light and skin, other colours, contrast and proportions."""
    size = (canonical.WIDTH, canonical.HEIGHT)

    def field(count: int) -> Floats:
        coarse = rng.normal(0, 1, (int(rng.integers(3, 8)), int(rng.integers(3, 8)), count)).astype(np.float32)
        return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32).reshape(
            *size[::-1], count
        )

    move = field(2) * rng.uniform(0, 1.6)
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    sheet = np.dstack([one.face, 255 * one.covered, np.where(one.counts, 255, 0)]).astype(np.float32)
    at = x + move[..., 0], y + move[..., 1]
    sheet = np.asarray(cv2.remap(sheet, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
    light = np.exp(field(1) * rng.uniform(0, 0.3) + field(3) * rng.uniform(0, 0.08) + rng.normal(0, 0.1, 3))
    pixels = 255 * (np.clip(sheet[..., :3], 0, 255) / 255) ** rng.uniform(0.65, 1.5) * light * rng.uniform(0.65, 1.3)
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * rng.uniform(0.35, 1.5)
    soft = cv2.GaussianBlur(pixels, (0, 0), 1.0)
    pixels = soft + (pixels - soft) * rng.uniform(0.2, 1.6) + rng.normal(0, rng.uniform(0.1, 5), pixels.shape)
    face = np.asarray(np.clip(pixels, 0, 255), np.uint8)
    return replace(one, face=face, covered=np.asarray(sheet[..., 3] / 255, np.float32), counts=sheet[..., 4] > 200)


def mixed(one: Example, bare: Sequence[Example], rng: faces.Random) -> Example:
    """The same scene, and beside the thing some of another person's face, in the same colour of skin.

    Args:
        one: Scene.
        bare: Faces with nothing before them.
        rng: Of the choice.
    """
    other = bare[int(rng.integers(len(bare)))]
    if rng.random() < UNMIXED or other.name == one.name:
        return one
    own, given = (np.log(np.asarray(each.face, np.float32) + 24) for each in (one, other))
    given = given + canonical.skin_colour(own) - canonical.skin_colour(given)
    coarse = rng.normal(rng.uniform(-0.5, 1.5), rng.uniform(0, 1.2), (5, 5)).astype(np.float32)
    size = canonical.WIDTH, canonical.HEIGHT
    share = np.clip(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    share = (share * (1 - np.clip(1.6 * one.covered, 0, 1)))[..., None]
    face = np.exp(own * (1 - share) + given * share) - 24
    return replace(one, face=np.asarray(np.clip(face, 0, 255), np.uint8))
