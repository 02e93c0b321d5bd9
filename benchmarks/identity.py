"""Whose face is it? Every ordered pair of people is fused and shown to a recogniser that the engine knows nothing of.

    make bench-identity

The recogniser is dlib's ResNet (distance under 0.6: the same person) behind dlib's own detector and landmarks. People
are sample photos with |yaw| of 25° or less; `--photos` adds a folder of your own, one person a file. A refusal counts
as a miss. Table and contact sheets (source, target, result; the worst first) go to `out/identity/`: never publish them.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import dlib
import numpy as np
import numpy.typing as npt
import platformdirs

from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.prepared import prepare
from facefleet.engine.models.registry import Registry
from facefleet.engine.types import Box, Face, Pixels, Portrait
from facefleet.errors.base import FacefleetError
from facefleet.options import FuseOptions

Descriptor = npt.NDArray[np.float64]

SAME = 0.6  # distance under which dlib's recogniser calls two faces the same person
MAX_YAW = 25.0  # degrees
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
STEP_PAIRS = 12  # pairs that are fused at every strength
WITHOUT = {("friends", 3)}  # sunglasses: there are no eyes to compare
CELL = 224  # px of the contact sheet
ROWS_PER_SHEET = 6


class Recogniser:
    """dlib's face descriptor, as `face_recognition` computes it."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("face_recognition_models")
        if spec is None or not spec.submodule_search_locations:
            raise SystemExit("face_recognition_models is not installed; run: make bench-identity")
        weights = Path(spec.submodule_search_locations[0]) / "models"
        self._detector = dlib.get_frontal_face_detector()
        self._points = dlib.shape_predictor(str(weights / "shape_predictor_5_face_landmarks.dat"))
        self._network = dlib.face_recognition_model_v1(str(weights / "dlib_face_recognition_resnet_model_v1.dat"))

    def describe(self, pixels: Pixels, box: Box) -> Descriptor:
        """128 numbers of the face near a box."""
        crop, local = around(pixels, box, 1.0)
        scale = 200 / max(local.width, local.height)
        size = round(crop.shape[1] * scale), round(crop.shape[0] * scale)
        rgb = np.ascontiguousarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA)[..., ::-1])
        left, top, right, bottom = (
            round(v * scale) for v in (local.x, local.y, local.x + local.width, local.y + local.height)
        )
        expected = dlib.rectangle(left, top, right, bottom)
        found = [face for face in self._detector(rgb, 1) if expected.contains(face.center())]
        shape = self._points(rgb, found[0] if found else expected)
        return np.asarray(self._network.compute_face_descriptor(rgb, shape), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One face of one photo.

    Attributes:
        glasses: Whether the engine keeps its glasses where it is the target.
    """

    name: str
    file: bytes
    pixels: Pixels
    face: Face
    descriptor: Descriptor
    glasses: bool


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One ordered pair.

    Attributes:
        source: Who gives.
        target: Who takes.
        to_source: Distance of the result; infinite where it was refused.
        to_target: Distance of the result.
        refusal: Code of the error, or nothing.
        result: The picture, or None.
    """

    source: Person
    target: Person
    to_source: float
    to_target: float
    refusal: str
    result: Pixels | None


def around(pixels: Pixels, box: Box, margin: float) -> tuple[Pixels, Box]:
    """A crop round a box with so many box widths on each side, and the box in it."""
    grow = margin * max(box.width, box.height)
    x0, y0 = max(0, round(box.x - grow)), max(0, round(box.y - grow))
    x1, y1 = round(box.x + box.width + grow), round(box.y + box.height + grow)
    return np.ascontiguousarray(pixels[y0:y1, x0:x1]), Box(box.x - x0, box.y - y0, box.width, box.height)


def people(engine: Engine, recogniser: Recogniser, photos: dict[str, Path]) -> Iterator[Person]:
    """Every face that looks towards the camera."""
    for name, path in photos.items():
        try:
            file = path.read_bytes()
            faces = engine.faces(file).faces
        except FacefleetError as error:
            print(f"{name}: left out, {error.code}")
            continue
        pixels = decode(file).pixels
        for face in faces:
            if abs(face.pose.yaw) <= MAX_YAW and (name, face.index) not in WITHOUT:
                descriptor = recogniser.describe(pixels, face.box)
                glasses = prepare(Portrait(pixels, face)).glasses is not None
                yield Person(f"{name}/{face.index}", file, pixels, face, descriptor, glasses)


def fuse(engine: Engine, recogniser: Recogniser, pair: tuple[Person, Person], options: FuseOptions) -> Outcome:
    """Fuse one pair and measure it."""
    source, target = pair
    chosen = FuseOptions(
        strength=options.strength, shape=options.shape, source_face=source.face.index, target_face=target.face.index
    )
    try:
        fused = engine.fuse(source.file, target.file, chosen)
    except FacefleetError as error:
        return Outcome(source, target, float("inf"), float("inf"), error.code, None)
    pixels = decode(fused.picture.image).pixels
    own = recogniser.describe(pixels, target.face.box)
    to_source, to_target = (float(np.linalg.norm(own - person.descriptor)) for person in pair)
    return Outcome(source, target, to_source, to_target, "", pixels)


def sheets(outcomes: list[Outcome], folder: Path) -> None:
    """Source, target and result side by side, the worst first."""
    rows = [row(outcome) for outcome in sorted(outcomes, key=lambda each: -each.to_source)]
    pages = [rows[start : start + 3 * ROWS_PER_SHEET] for start in range(0, len(rows), 3 * ROWS_PER_SHEET)]
    for number, page in enumerate(pages):
        page = page + [np.zeros_like(page[0])] * (-len(page) % 3)
        lines = [np.hstack(page[start : start + 3]) for start in range(0, len(page), 3)]
        cv2.imwrite(str(folder / f"sheet-{number:02}.png"), np.vstack(lines))


def row(outcome: Outcome) -> Pixels:
    """Three pictures of one pair with the distance written on the last."""
    cells = [cell(person.pixels, person.face.box) for person in (outcome.source, outcome.target)]
    last = np.zeros((CELL, CELL, 3), np.uint8)
    if outcome.result is not None:
        last = cell(outcome.result, outcome.target.face.box)
    text = outcome.refusal or f"{outcome.to_source:.2f} / {outcome.to_target:.2f}"
    colour = (80, 220, 80) if outcome.to_source < SAME else (60, 60, 255)
    cv2.putText(last, text, (4, CELL - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return np.hstack([*cells, last])


def cell(pixels: Pixels, box: Box) -> Pixels:
    """A square of the sheet round a face."""
    crop, _ = around(pixels, box, 0.25)
    scale = CELL / max(crop.shape[:2])
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    square = np.zeros((CELL, CELL, 3), np.uint8)
    square[: small.shape[0], : small.shape[1]] = small[:CELL, :CELL]
    return square


def summary(outcomes: list[Outcome]) -> str:
    """The four figures of the bar."""
    source = np.array([each.to_source for each in outcomes])
    nearer = np.array([each.to_source < each.to_target for each in outcomes])
    refused = sum(bool(each.refusal) for each in outcomes)
    return (
        f"{len(outcomes)} ordered pairs, {refused} refused; distance to the source: median {np.median(source):.3f}, "
        f"90 % under {np.quantile(source, 0.9, method='higher'):.3f}; under {SAME}: {(source < SAME).mean():.1%}; "
        f"nearer the source than the target: {nearer.mean():.1%}"
    )


def over_strength(engine: Engine, recogniser: Recogniser, pairs: list[tuple[Person, Person]]) -> str:
    """Mean distance to the source at each strength."""
    cells = []
    for strength in STRENGTHS:
        outcomes = [fuse(engine, recogniser, pair, FuseOptions(strength=strength)) for pair in pairs]
        cells.append(f"{strength:g}: {np.mean([each.to_source for each in outcomes if not each.refusal]):.3f}")
    return f"mean distance to the source over strength, {len(pairs)} pairs: " + ", ".join(cells)


def main() -> None:
    """Print the table, write the sheets."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", type=float, default=FuseOptions().shape)
    parser.add_argument("--photos", type=Path, help="a folder of more photos")
    parser.add_argument("--only-photos", action="store_true", help="leave the samples out")
    parser.add_argument("--output", type=Path, default=Path("out/identity"))
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("facefleet"))
    arguments = parser.parse_args()
    registry = Registry(arguments.cache)
    engine, recogniser = build_engine(registry.pull()), Recogniser()
    photos = {} if arguments.only_photos else dict(registry.samples())
    if arguments.photos:
        photos |= {path.stem: path for path in sorted(arguments.photos.iterdir()) if path.is_file()}
    everyone = list(people(engine, recogniser, photos))
    pairs = list(itertools.permutations(everyone, 2))
    options = FuseOptions(shape=arguments.shape)
    outcomes = [fuse(engine, recogniser, pair, options) for pair in pairs]
    arguments.output.mkdir(parents=True, exist_ok=True)
    lines = ["source,target,to_source,to_target,refusal"]
    lines += [
        f"{each.source.name},{each.target.name},{each.to_source:.3f},{each.to_target:.3f},{each.refusal}"
        for each in outcomes
    ]
    (arguments.output / "pairs.csv").write_text("\n".join(lines) + "\n")
    sheets(outcomes, arguments.output)
    print(f"{len(everyone)} people: {', '.join(person.name for person in everyone)}")
    print(summary(outcomes))
    print("without targets whose glasses stay: " + summary([each for each in outcomes if not each.target.glasses]))
    print(over_strength(engine, recogniser, pairs[:: max(1, len(pairs) // STEP_PAIRS)]))
    print(f"pairs.csv and contact sheets are in {arguments.output}")


if __name__ == "__main__":
    main()
