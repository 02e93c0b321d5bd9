"""Is a fused face as noisy and as blurred by motion as the photo it is in?

    python -m benchmarks.quality.grain

Noise: fusions into the same photo with two draws of noise are compared pixel by pixel, so that nothing but noise
differs, and the same is done for the photos themselves. The ratio of the two deviations should be 1 in luma and in each
chroma. Motion: a sharp photo is smeared, and the fused face should be as sharp along and across the path as the fusion
into the sharp photo smeared alike. Faces stay where they were found in the photo as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from benchmarks.quality.camera import KINDS, LEVELS, QUALITIES, compressed, noisy, smeared

from facefleet import config
from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.motion import Motion, find_motion
from facefleet.engine.mesh.swapper import MeshSwapper
from facefleet.engine.models.registry import Registry
from facefleet.engine.steps.blend import Layer, blend
from facefleet.engine.types import Floats, Pixels, Portrait
from facefleet.errors.input import FaceOccluded
from facefleet.options import FuseOptions

LOW, HIGH = 0.85, 1.15  # wanted of each ratio
PAIRS = (
    ("smiling_woman", "smiling_man"), ("smiling_man", "smiling_woman"), ("portrait_man", "surprised_woman"),
    ("astronaut", "turned_woman"), ("surprised_woman", "portrait_man"), ("turned_woman", "bearded_man"),
)  # fmt: skip
SOURCES = "smiling_woman", "portrait_man", "astronaut", "turned_woman"  # for photos in which nobody moved
REPLACED = 0.95  # share from which a pixel is the fused face's
FINE = 6.0  # px, deviation of the blur that takes away what light transfer changes
CHANGED = 3.0  # levels, of such a blur
LENGTHS, ANGLES = (3, 5, 7, 9, 12, 15), (0, 30, 45, 90, 135, 150)
SOFT = (0.0, 1.2, 2.0, 3.5)  # px, blur without a direction


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sample photos, each with its largest face."""

    source: Portrait
    target: Portrait

    def fused(self, pixels: Pixels) -> tuple[Pixels, Layer]:
        """The source's face in other pixels of the target, cut out; and what was laid over them."""
        swapper, canvas = MeshSwapper(), pixels.copy()
        layer = swapper.swap(
            swapper.prepare_source(self.source), swapper.prepare_target(Portrait(canvas, self.target.face)),
            FuseOptions(), lambda _: None,
        )  # fmt: skip
        blend(canvas, layer, 1.0)
        return layer.region.of(canvas), layer


@dataclass(frozen=True, slots=True)
class Likeness:
    """Noise of a fused face beside that of the photo, each ``(3,)`` of Y, Cr and Cb.

    Attributes:
        strength: Ratio of the deviations.
        size: Difference of the correlations of neighbouring pixels.
        seen: Whether the photo counts as noisy.
    """

    strength: Floats
    size: Floats
    seen: bool


def likeness(pair: Pair, kind: str, level: int, quality: int, seed: int) -> Likeness:
    """Of one pair at one strength of noise."""
    before, after, shares = [], [], []
    for draw in (seed, seed + 1):
        photo = compressed(noisy(pair.target.pixels, kind, level, draw), quality)
        face, layer = pair.fused(photo)
        before.append(_ycc(layer.region.of(photo)))
        after.append(_ycc(face))
        shares.append(layer.alpha())
    where = np.minimum(*shares) > REPLACED
    where &= ~_changed(after[0] - after[1])
    was, has = (_fine(one - other) for one, other in (before, after))
    strength = _deviation(has, where) / _deviation(was, where)
    seen = MeshSwapper().prepare_target(Portrait(photo, pair.target.face)).noise is not None
    return Likeness(strength, _correlation(has, where) - _correlation(was, where), seen)


def _likeness_unless_refused(pair: Pair, kind: str, level: int, quality: int, seed: int) -> Likeness | None:
    try:
        return likeness(pair, kind, level, quality, seed)
    except FaceOccluded:  # noise can be taken for a thing before the face
        return None


def _ycc(pixels: Pixels) -> Floats:
    return np.asarray(cv2.cvtColor(np.asarray(pixels, np.float32), cv2.COLOR_BGR2YCrCb), np.float32)


def _changed(difference: Floats) -> np.ndarray:
    """Where more than noise differs: a mask or the light, which may turn out otherwise for another draw."""
    moved = np.abs(cv2.GaussianBlur(difference[..., 0], (0, 0), FINE)) > CHANGED
    return cv2.dilate(moved.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0


def _fine(difference: Floats) -> Floats:
    return np.asarray(difference - cv2.GaussianBlur(difference, (0, 0), FINE), np.float32)


def _deviation(noise: Floats, where: np.ndarray) -> Floats:
    return np.asarray(noise[where].std(axis=0), np.float32)


def _correlation(noise: Floats, where: np.ndarray) -> Floats:
    """Of each pixel with its right neighbour."""
    return np.asarray(
        (noise[:, :-1] * noise[:, 1:])[where[:, 1:]].mean(axis=0) / np.square(noise[where]).mean(axis=0), np.float32
    )


def sharpness(pixels: Pixels, where: np.ndarray, angle: float) -> tuple[float, float]:
    """Mean square of fine slopes along a direction and across it."""
    grey = _fine(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.float32))
    x, y = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3)[where] for order in ((1, 0), (0, 1)))
    turn = np.deg2rad(angle)
    along, across = (np.square(x * np.cos(one) + y * np.sin(one)).mean() for one in (turn, turn + np.pi / 2))
    return float(along), float(across)


@dataclass(frozen=True, slots=True)
class Smear:
    """What came of one smeared photo.

    Attributes:
        found: The motion, or None.
        off: Degrees between its direction and the right one.
        along: Sharpness of the fused face over what it should be, along the path; a ratio of deviations.
        across: The same across the path.
    """

    found: Motion | None
    off: float
    along: float
    across: float


def smear(pair: Pair, length: float, angle: float) -> Smear:
    """Of one pair and one path."""
    sharp, still = pair.fused(pair.target.pixels)
    canvas = pair.target.pixels.copy()
    still.region.of(canvas)[:] = sharp
    where = still.alpha() > REPLACED
    wanted = sharpness(still.region.of(smeared(canvas, length, angle)), where, angle)
    photo = smeared(pair.target.pixels, length, angle)
    got = sharpness(pair.fused(photo)[0], where, angle)
    ratios = (float(np.sqrt(one / other)) for one, other in zip(got, wanted, strict=True))
    found = found_motion(pair, photo, still)
    return Smear(found, 0.0 if found is None else abs((found.angle - angle + 90) % 180 - 90), *ratios)


def found_motion(pair: Pair, photo: Pixels, still: Layer) -> Motion | None:
    """What the engine finds in other pixels of the target."""
    detail = MeshSwapper().prepare_target(Portrait(photo, pair.target.face)).detail
    return None if detail is None else find_motion(detail, still.pixels)


def portraits(engine: Engine, photo: bytes) -> list[Portrait]:
    """Every face of a photo."""
    pixels = decode(photo).pixels
    return [Portrait(pixels, face) for face in engine.faces(photo).faces]


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    seed = arguments.parse_args().seed
    cv2.setNumThreads(1)
    registry = Registry(config.load().engine.cache)
    engine = build_engine(registry.pull())
    everyone = {name: portraits(engine, path.read_bytes()) for name, path in sorted(registry.samples().items())}
    pairs = [Pair(everyone[source][0], everyone[target][0]) for source, target in PAIRS]
    _print_noise(pairs, seed)
    _print_motion(pairs)
    _print_still(everyone)


def _print_noise(pairs: list[Pair], seed: int) -> None:
    print(
        f"{len(pairs)} pairs; noise of the face over that of the photo: median (lowest to highest), wanted {LOW}-{HIGH}"
    )
    print("| noise | ISO | JPEG | seen in | Y | Cr | Cb | size Y | size C |\n" + 9 * "|---" + "|")
    for kind, level, quality in product(KINDS, LEVELS, QUALITIES):
        each = [one for pair in pairs if (one := _likeness_unless_refused(pair, kind, level, quality, seed))]
        strength = np.array([one.strength for one in each])
        size = np.median([one.size for one in each], axis=0)
        cells = (f"{np.median(some):.2f} ({some.min():.2f} to {some.max():.2f})" for some in strength.T)
        seen = sum(one.seen for one in each)
        print(
            f"| {kind} | {level} | {quality or '-'} | {seen} of {len(each)} | {' | '.join(cells)} | "
            f"{size[0]:+.2f} | {size[1:].mean():+.2f} |"
        )


def _print_motion(pairs: list[Pair]) -> None:
    print("\n| path, px | found | direction off, 90 % of them | length, 10 to 90 % of them | along | across |")
    print(6 * "|---" + "|")
    for length in LENGTHS:
        each = [smear(pair, length, angle) for pair in pairs for angle in ANGLES]
        found = [one for one in each if one.found is not None]
        lengths = [one.found.length for one in found if one.found is not None] or [0.0]
        low, high = np.quantile(lengths, [0.1, 0.9])
        off = np.quantile([one.off for one in found] or [0.0], 0.9)
        cells = f"{len(found)} of {len(each)} | {off:.0f}° | {low:.0f} to {high:.0f}"
        along, across = (np.median([getattr(one, name) for one in each]) for name in ("along", "across"))
        print(f"| {length} | {cells} | {along:.2f} | {across:.2f} |")


def _print_still(everyone: Mapping[str, list[Portrait]]) -> None:
    """Motion found where there was none, and noise found in the samples."""
    alarms = dict.fromkeys(SOFT, 0)
    pairs = [Pair(everyone[source][0], target) for source in SOURCES for faces in everyone.values() for target in faces]
    for pair in pairs:
        still = pair.fused(pair.target.pixels)[1]
        for soft in SOFT:
            blurred = cv2.GaussianBlur(pair.target.pixels, (0, 0), soft) if soft else pair.target.pixels
            alarms[soft] += found_motion(pair, np.asarray(blurred, np.uint8), still) is not None
    for soft, count in alarms.items():
        print(f"motion found in a still photo, blurred by {soft} px: {count} of {len(pairs)}, wanted 0")
    swapper = MeshSwapper()
    largest = {name: faces[0] for name, faces in everyone.items() if faces}
    noisy_ones = [name for name, face in largest.items() if swapper.prepare_target(face).noise is not None]
    print(f"samples in which noise is seen: {', '.join(noisy_ones)}")


if __name__ == "__main__":
    main()
