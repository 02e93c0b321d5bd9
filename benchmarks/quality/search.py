"""Are the small faces of large photos found? Photos of 12 to 50 MP and panoramas are built by seed and searched.

    python -m benchmarks.quality.search

Prints recall by size and by angle, precision and seconds of one core, without tiles and with them; then how many people
of the samples are found when the whole photo is turned. Never publish the pictures that `--keep` leaves.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from benchmarks.quality.crowds import Cast, Placed, Scene, build

from facefleet import config
from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.models.registry import Registry
from facefleet.engine.types import Face, Floats, Pixels

WANTED_RECALL, WANTED_PRECISION = 0.95, 0.99
SHAPES = ((4000, 3000), (6000, 4000), (8000, 6000), (12000, 2400), (2400, 12000), (15800, 3160))
SIZES = (34, 36, 40, 46, 54, 64, 80, 100, 130, 180, 260, 400)  # px
TEXTURES = ("gradient", "clouds", "foliage", "patchwork")
NEAR = 0.15  # of the face's size, mean distance of the five points from where they were pasted
TURNS = range(0, 360, 15)  # degrees
JPEG_QUALITY = 90


@dataclass(slots=True)
class Tally:
    """What was found, of how much."""

    hit: Counter[object] = field(default_factory=Counter)
    of: Counter[object] = field(default_factory=Counter)
    false: int = 0
    seconds: float = 0.0

    def share(self, keys: Iterable[object]) -> float:
        """Of the faces under some keys, those that were found."""
        wanted = list(keys)
        return sum(self.hit[key] for key in wanted) / max(1, sum(self.of[key] for key in wanted))

    def count(self, face: Placed, *, found: bool) -> None:
        """Enter one face of a scene, by its size and by its angle."""
        for key in (("size", face.size), ("angle", round(abs(face.angle) / 45) * 45)):
            self.of[key] += 1
            self.hit[key] += found


def main() -> None:
    """Build, search, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="how many of the sizes of photos")
    parser.add_argument("--keep", type=Path, help="folder for pictures with what was found drawn in")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    registry = Registry(config.load().engine.cache)
    engine = build_engine(registry.pull())
    photos = {name: path.read_bytes() for name, path in sorted(registry.samples().items())}
    cast = Cast.of(photos, engine)
    for turned in (False, True):
        _crowds(engine, cast, args, turned=turned)
    _turned_samples(engine, photos)


def _crowds(engine: Engine, cast: Cast, args: argparse.Namespace, *, turned: bool) -> None:
    tallies = {tiles: Tally() for tiles in (False, True)}
    for number, (width, height) in enumerate(SHAPES[: args.shapes]):
        for extra in range(2):
            texture = TEXTURES[(2 * number + extra + turned) % len(TEXTURES)]
            scene = Scene(width, height, texture, 2 * SIZES, turned, 1000 * args.seed + 10 * number + extra)
            _search(engine, cast, scene, tallies, args.keep)
    for tiles, tally in tallies.items():
        _print(f"{'turned' if turned else 'upright'}, {'with' if tiles else 'without'} tiles", tally)


def _search(engine: Engine, cast: Cast, scene: Scene, tallies: dict[bool, Tally], keep: Path | None) -> None:
    pixels, placed = build(scene, cast)
    photo = bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
    for tiles, tally in tallies.items():
        before = time.process_time()
        faces = engine.faces(photo, tiles=tiles).faces
        seconds = time.process_time() - before
        tally.seconds += seconds
        missed, false = _compare(placed, faces, tally)
        tally.false += len(false)
        if tiles:
            sizes = sorted(face.size for face in missed)
            print(
                f"  {scene.width} x {scene.height} {scene.background}: {len(placed) - len(missed)} of {len(placed)}, "
                f"missed {sizes}, false {[round(face.box.short_side) for face in false]}, {seconds:.1f} s",
                flush=True,
            )
        if tiles and keep:
            _keep(keep, scene, pixels, missed, false)


def _compare(placed: list[Placed], faces: Iterable[Face], tally: Tally) -> tuple[list[Placed], list[Face]]:
    """Who was missed, and what was taken for a face."""
    rest, missed = list(faces), []
    for one in placed:
        same = [face for face in rest if _distance(face, one.points) < NEAR * one.size]
        tally.count(one, found=bool(same))
        rest = [face for face in rest if face not in same[:1]]
        if not same:
            missed.append(one)
    return missed, rest


def _distance(face: Face, points: Floats) -> float:
    return float(np.linalg.norm(face.landmarks5 - points, axis=1).mean())


def _print(title: str, tally: Tally) -> None:
    sizes = [("size", size) for size in SIZES]
    found = sum(tally.hit[key] for key in sizes)
    precision = found / max(1, found + tally.false)
    print(f"{title}: recall {tally.share(sizes):.3f} (wanted {WANTED_RECALL}), precision {precision:.4f}", end=" ")
    print(f"(wanted {WANTED_PRECISION}), {tally.seconds:.0f} s of {sum(tally.of[key] for key in sizes)} faces")
    print("  by size, px:", ", ".join(f"{key[1]}: {tally.share([key]):.2f}" for key in sizes))
    angles = [("angle", angle) for angle in range(0, 181, 45)]
    print("  by angle, degrees:", ", ".join(f"{key[1]}: {tally.share([key]):.2f}" for key in angles), flush=True)


def _keep(folder: Path, scene: Scene, pixels: Pixels, missed: list[Placed], false: list[Face]) -> None:
    """Crops of what went wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = [("missed", one.points.mean(axis=0), one.size) for one in missed]
    wrong += [("false", face.landmarks5.mean(axis=0), round(face.box.short_side)) for face in false]
    for number, (what, centre, size) in enumerate(wrong):
        half = int(2 * size)
        x, y = (max(0, int(at) - half) for at in centre)
        crop = cv2.resize(pixels[y : y + 2 * half, x : x + 2 * half], (256, 256))
        cv2.imwrite(str(folder / f"{scene.seed}_{scene.background}_{what}_{number}_{size}px.png"), crop)


def _turned_samples(engine: Engine, photos: dict[str, bytes]) -> None:
    """Every sample turned as a whole on a canvas that holds all of it."""
    for name, photo in photos.items():
        pixels, upright = decode(photo).pixels, engine.faces(photo).faces
        if not upright:
            continue
        for tiles in (False, True):
            counts, false = [], 0
            for degrees in TURNS:
                picture, affine = _turned(pixels, degrees)
                faces = engine.faces(bytes(cv2.imencode(".png", picture)[1]), tiles=tiles).faces
                placed = [
                    Placed(round(face.box.short_side), degrees, face.landmarks5 @ affine[:, :2].T + affine[:, 2])
                    for face in upright
                ]
                missed, wrong = _compare(placed, faces, Tally())
                counts.append(len(placed) - len(missed))
                false += len(wrong)
            found, people = sum(counts), len(upright) * len(counts)
            print(
                f"{name}{', tiles' if tiles else ''}: {found} of {people}, false {false}; least {min(counts)}",
                counts,
                flush=True,
            )


def _turned(pixels: Pixels, degrees: float) -> tuple[Pixels, Floats]:
    height, width = pixels.shape[:2]
    affine = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    cos, sin = abs(affine[0, 0]), abs(affine[0, 1])
    size = round(width * cos + height * sin), round(width * sin + height * cos)
    affine[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    turned = cv2.warpAffine(pixels, affine, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), np.asarray(affine, np.float32)


if __name__ == "__main__":
    main()
