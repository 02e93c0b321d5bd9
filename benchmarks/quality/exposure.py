"""Compares fusions of overexposed photos with those of the photos as they are: python -m benchmarks.quality.exposure.

A photo is overexposed in linear light: times a factor, then clipped, then in sRGB's curve. The fusion of an overexposed
source should look like the fusion as it was; that of an overexposed target like this fusion overexposed alike. Faces
stay where they were found in the photo as it is, so that colours alone are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import cv2
import numpy as np
from benchmarks.quality.ciede2000 import Doubles, difference

from facefleet import config
from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.exposure import exposed
from facefleet.engine.mesh.swapper import MeshSwapper
from facefleet.engine.models.registry import Registry
from facefleet.engine.steps.blend import blend
from facefleet.engine.steps.topology import OVAL
from facefleet.engine.types import Face, Pixels, Portrait
from facefleet.errors.input import FaceOverexposed
from facefleet.options import FuseOptions

FAR = 12.0  # CIEDE2000 that no pixel of the face should be away
PEOPLE = (
    "astronaut", "grace_hopper", "portrait_man", "smiling_woman", "surprised_woman", "turned_woman", "smiling_man",
    "bearded_man",
)  # fmt: skip
UNCLIPPED = 0.8  # an exposure at which nothing can be clipped: what changes there has other reasons
EXPOSURES = (UNCLIPPED, *(round(1 + step / 10, 1) for step in range(1, 16)))


@dataclass(frozen=True, slots=True)
class Person:
    """A sample photo and its largest face."""

    pixels: Pixels
    face: Face


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fusion of an overexposed photo; the differences of its face, or None where it was refused."""

    role: str
    exposure: float
    differences: Doubles | None


def fused(source: Person, target: Person) -> Pixels:
    """The target with the source's face, without the check.

    Raises:
        FaceOverexposed: One of the two cannot be used.
    """
    swapper, canvas = MeshSwapper(), target.pixels.copy()
    layer = swapper.swap(
        swapper.prepare_source(Portrait(source.pixels, source.face)),
        swapper.prepare_target(Portrait(canvas, target.face)), FuseOptions(), lambda _: None,
    )  # fmt: skip
    blend(canvas, layer, 1.0)
    return canvas


def of_face(one: Pixels, other: Pixels, face: Face) -> Doubles:
    """Differences of the pixels inside the oval of a face."""
    inside = np.zeros(one.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.round(face.landmarks[list(OVAL), :2]).astype(np.int32)], 1)
    x, y, width, height = cv2.boundingRect(inside)
    cut = np.s_[y : y + height, x : x + width]
    return np.asarray(difference(one[cut], other[cut])[inside[cut] > 0], np.float64)


def outcomes(source: Person, target: Person, exposures: tuple[float, ...]) -> Iterator[Outcome]:
    """Of one pair, either photo overexposed in turn."""
    plain = fused(source, target)
    for exposure in exposures:
        for role in ("source", "target"):
            over = [
                Person(exposed(one.pixels, exposure), one.face) if name == role else one
                for name, one in (("source", source), ("target", target))
            ]
            try:
                result = fused(*over)
            except FaceOverexposed:
                yield Outcome(role, exposure, None)
                continue
            wanted = plain if role == "source" else exposed(plain, exposure)
            yield Outcome(role, exposure, of_face(result, wanted, target.face))


def people(engine: Engine, registry: Registry) -> list[Person]:
    """The sample people."""
    files = [registry.samples()[name].read_bytes() for name in PEOPLE]
    return [Person(decode(file).pixels, engine.faces(file).faces[0]) for file in files]


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--every", type=int, default=1, help="take every so manieth pair")
    every = arguments.parse_args().every
    cv2.setNumThreads(1)
    registry = Registry(config.load().engine.cache)
    everyone = people(build_engine(registry.pull()), registry)
    pairs = list(permutations(everyone, 2))[::every]
    all_of_them = [outcome for pair in pairs for outcome in outcomes(*pair, EXPOSURES)]
    print(f"{len(pairs)} pairs; CIEDE2000 of the pixels of the face")
    print("| exposure | photo | refused | worst pixel | 99.9 % | 99 % | farther than 12 | pairs without such a pixel |")
    print("|---|---|---|---|---|---|---|---|")
    for exposure in EXPOSURES:
        for role in ("source", "target"):
            print(_row(exposure, role, [one for one in all_of_them if (one.role, one.exposure) == (role, exposure)]))


def _row(exposure: float, role: str, some: list[Outcome]) -> str:
    measured = [one.differences for one in some if one.differences is not None]
    joined = np.concatenate(measured) if measured else np.zeros(1)
    clean = sum(float(each.max()) <= FAR for each in measured)
    high, higher = np.quantile(joined, [0.99, 0.999])
    return (
        f"| × {exposure} | {role} | {len(some) - len(measured)} | {joined.max():.1f} | {higher:.1f} | {high:.1f} | "
        f"{(joined > FAR).mean():.2%} | {clean} of {len(measured)} |"
    )


if __name__ == "__main__":
    main()
