"""Compares fusions of faces lit hard with those of the photos as they are: python -m benchmarks.quality.sidelight.

Light is drawn into sample photos: on the surface of the face's own mesh it falls by Lambert's law, and what stands in
its way (nose, brow, cheek) casts a shadow. The fusion of a source lit from one side should look like the fusion as it
was; that of such a target like this fusion in the same light. Only low frequencies count: patches, not pores.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import cv2
import numpy as np
from benchmarks.quality.ciede2000 import Doubles
from benchmarks.quality.exposure import Person, fused, of_face, people

from facefleet import config
from facefleet.engine.build import build_engine
from facefleet.engine.mesh.align import signed_areas
from facefleet.engine.mesh.exposure import continued
from facefleet.engine.mesh.raster import paint
from facefleet.engine.models.registry import Registry
from facefleet.engine.steps import topology
from facefleet.engine.types import Face, Floats, Pixels

Side = Literal["left", "right", "above"]
SIDES: tuple[Side, ...] = ("left", "right", "above")
TOWARDS = {"left": (-1.0, -0.25), "right": (1.0, -0.25), "above": (0.1, -1.0)}  # of the image, where the light stands
FLATTEST, STEEPEST = 0.15, 0.55  # share of the light's direction that points at the camera
DARKEST, BRIGHTEST = 0.06, 0.2  # light of the shadow over the full light, linear
TERMINATOR = 0.012  # face widths over which a cast shadow fades
SIZE = 160  # px, long side of the image on which light is computed
PATCH = 0.03  # face widths; what is finer than this is no patch
SEEN = 6.0  # CIEDE2000 from which a patch on skin stands out
_LEVELS = np.arange(256, dtype=np.float64) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)


@dataclass(frozen=True, slots=True)
class Lamp:
    """One hard light and what the room gives.

    Attributes:
        towards: Unit vector to the light: right, down and away from the camera.
        room: Light in the shadow over the light of the lamp.
    """

    towards: tuple[float, float, float]
    room: float


def lamp(side: Side, seed: int) -> Lamp:
    """A light on one side, its height and hardness by the seed."""
    random = np.random.default_rng((seed, SIDES.index(side)))
    x, y = TOWARDS[side] + random.uniform(-0.2, 0.2, 2)
    front = random.uniform(FLATTEST, STEEPEST)
    across = np.sqrt(1 - front**2) / np.hypot(x, y)
    return Lamp((float(x * across), float(y * across), float(-front)), float(random.uniform(DARKEST, BRIGHTEST)))


def lit(person: Person, light: Lamp) -> Person:
    """The same photo in another light, the face where it was; nothing becomes brighter."""
    return Person(under(person.pixels, light_on(person.face, person.pixels.shape, light)), person.face)


def under(pixels: Pixels, gain: Floats) -> Pixels:
    """Pixels in ``gain`` times the light, ``(H, W)``."""
    light = _LINEAR[pixels] * gain[..., None]
    levels = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(levels * 255), np.uint8)


def light_on(face: Face, shape: tuple[int, ...], light: Lamp) -> Floats:
    """``(H, W)`` float32, light of each pixel of the photo, 1 at most."""
    scale = SIZE / max(face.box.width, face.box.height)
    points = np.asarray((face.landmarks - [face.box.x, face.box.y, 0]) * scale + [SIZE / 2, SIZE / 2, 0], np.float32)
    size = 2 * SIZE, 2 * SIZE
    width = _width(points)
    height = np.asarray(cv2.GaussianBlur(_surface(points, size), (0, 0), 0.015 * width), np.float32)
    gain = light.room + (1 - light.room) * _lambert(height, light) * (1 - _shadow(height, light, width))
    onto = np.array(
        [[1 / scale, 0, face.box.x - SIZE / 2 / scale], [0, 1 / scale, face.box.y - SIZE / 2 / scale]], np.float32
    )
    whole = cv2.warpAffine(np.asarray(gain, np.float32), onto, shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(whole, 0, 1), np.float32)


def _width(points: Floats) -> float:
    right, left = points[list(topology.CHEEKS), :2]
    return float(np.linalg.norm(left - right))


def _surface(points: Floats, size: tuple[int, int]) -> Floats:
    """``(h, w)`` float32, height towards the camera, px; beyond the oval the head falls away."""
    triangles = topology.topology().triangles
    order = np.lexsort((-points[triangles, 2].mean(axis=1), signed_areas(points, triangles) > 0))
    owner = paint(points, triangles, order, size)
    a, b, c = np.moveaxis(_planes(points[triangles])[owner], -1, 0)
    rows, columns = np.indices(owner.shape)
    known = np.asarray(owner >= 0, np.float32)
    height = np.clip(-(a * columns + b * rows + c), -points[:, 2].max(), -points[:, 2].min())
    filled = continued(np.asarray(np.dstack([height, height]) * known[..., None], np.float32), known)[..., 0]
    beyond = cv2.distanceTransform(np.asarray(known == 0, np.uint8), cv2.DIST_L2, 5)
    return np.where(known > 0, height, filled - beyond).astype(np.float32)


def _planes(corners: Floats) -> Doubles:
    """``(N, 3)``, depth of each triangle as a plane over column and row."""
    places = np.concatenate([corners[..., :2], np.ones((*corners.shape[:2], 1))], axis=2).astype(np.float64)
    return np.asarray((np.linalg.pinv(places) @ corners[..., 2:])[..., 0], np.float64)


def _lambert(height: Floats, light: Lamp) -> Floats:
    across, down = (cv2.Sobel(height, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    length = np.sqrt(across**2 + down**2 + 1)
    x, y, z = light.towards
    return np.asarray(np.clip((-across * x - down * y - z) / length, 0, 1), np.float32)


def _shadow(height: Floats, light: Lamp, width: float) -> Floats:
    """``(h, w)``, 1 where something stands between a pixel and the light."""
    x, y, z = light.towards
    across = float(np.hypot(x, y))
    above = np.full_like(height, -np.inf)
    for step in range(2, round(0.6 * width)):
        onto = np.array([[1, 0, -step * x / across], [0, 1, -step * y / across]], np.float32)
        there = cv2.warpAffine(height, onto, height.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        above = np.maximum(above, there - height - step * (-z / across))
    shadow = np.asarray(np.clip(above / (0.02 * width), 0, 1), np.float32)
    return np.asarray(cv2.GaussianBlur(shadow, (0, 0), TERMINATOR * width), np.float32)


def patches(one: Pixels, other: Pixels, face: Face) -> Doubles:
    """Differences in low frequencies of the pixels inside the oval of a face."""
    width = _width(face.landmarks)
    smooth = [np.asarray(cv2.GaussianBlur(each, (0, 0), PATCH * width), np.uint8) for each in (one, other)]
    return of_face(smooth[0], smooth[1], face)


def outcomes(source: Person, target: Person, light: Lamp) -> dict[str, Doubles]:
    """Of one pair, either photo lit in turn."""
    plain, falls = fused(source, target), light_on(target.face, target.pixels.shape, light)
    lit_target = Person(under(target.pixels, falls), target.face)
    return {
        "source": patches(fused(lit(source, light), target), plain, target.face),
        "target": patches(fused(source, lit_target), under(plain, falls), target.face),
    }


def measured(pairs: list[tuple[Person, Person]], seed: int) -> Iterator[tuple[Side, dict[str, Doubles]]]:
    """Every pair under each of three lights."""
    for place, pair in enumerate(pairs):
        for side in SIDES:
            yield side, outcomes(*pair, lamp(side, seed + place))


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--every", type=int, default=1, help="take every so manieth pair")
    arguments.add_argument("--seed", type=int, default=1000)
    options = arguments.parse_args()
    cv2.setNumThreads(1)
    registry = Registry(config.load().engine.cache)
    pairs = list(permutations(people(build_engine(registry.pull()), registry), 2))[:: options.every]
    results = list(measured(pairs, options.seed))
    print(f"{len(pairs)} pairs; CIEDE2000 of the low frequencies of the face")
    print("| light from | photo | median | 90 % | 99 % | farther than 6 | worst pair |")
    print("|---|---|---|---|---|---|---|")
    for side in SIDES:
        for role in ("source", "target"):
            print(_row(side, role, [found[role] for light, found in results if light == side]))


def _row(side: Side, role: str, some: list[Doubles]) -> str:
    middle, high, higher = np.mean([np.quantile(each, [0.5, 0.9, 0.99]) for each in some], axis=0)
    far = [float((each > SEEN).mean()) for each in some]
    return f"| {side} | {role} | {middle:.1f} | {high:.1f} | {higher:.1f} | {np.mean(far):.1%} | {max(far):.1%} |"


if __name__ == "__main__":
    main()
