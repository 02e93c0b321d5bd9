"""Does the gate refuse photos that it should not? Scores of the samples and of what is made from them, by group.

    python -m benchmarks.quality.nsfw [--list 5]

Nothing here is pornographic, so every photo from the threshold on is a false alarm; what the gate misses cannot be
measured with these photos. The last group is drawn, no photo: skin-coloured shapes that the classifier may take for
bare skin. At the end stands what a photo costs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
from benchmarks.quality.crowds import Cast
from benchmarks.quality.crowds import Scene as Crowd
from benchmarks.quality.crowds import build as build_crowd
from benchmarks.quality.search import SHAPES, SIZES, TEXTURES
from benchmarks.scenes import Scene, render

from facefleet import config
from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.inspector import Shown
from facefleet.engine.models.onnx import OnnxSession
from facefleet.engine.models.registry import Registry
from facefleet.engine.types import Face, Pixels
from facefleet.errors.input import FaceError
from facefleet.safety.nsfw import OPEN_NSFW
from facefleet.safety.open_nsfw import OpenNsfw

Named = tuple[str, Pixels]
CROPS = (1.0, 1.3, 1.7, 2.2, 3.0, 4.0)  # of the face's box
SKIN = 0.45  # of the face's box: forehead, cheeks and mouth fill the photo
EXPOSURES = (0.5, 0.75, 1.33, 1.8)
SCENES = (Scene(1280, 853, 150), Scene(4240, 2832, 520), Scene(4240, 2832, 150))
DRAWINGS = 200


def samples(photos: Mapping[str, bytes]) -> Iterator[Named]:
    """The photos themselves."""
    for name, photo in photos.items():
        yield name, decode(photo).as_seen()


def crops(everyone: Mapping[str, list[tuple[Pixels, Face]]], shares: tuple[float, ...]) -> Iterator[Named]:
    """Every face with more or less round it, as selfies and avatars are cut."""
    for name, faces in everyone.items():
        for pixels, face in faces:
            for share in shares:
                yield f"{name} face {face.index} × {share:g}", _crop(pixels, face, share)


def exposures(photos: Mapping[str, bytes]) -> Iterator[Named]:
    """Darker, brighter, in black and white, mirrored."""
    for name, pixels in samples(photos):
        for exposure in EXPOSURES:
            yield f"{name} × {exposure:g}", np.asarray(cv2.convertScaleAbs(pixels, alpha=exposure), np.uint8)
        grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        yield f"{name} grey", np.asarray(grey, np.uint8)
        yield f"{name} mirrored", np.ascontiguousarray(pixels[:, ::-1])


def scenes(photos: Mapping[str, bytes], engine: Engine) -> Iterator[Named]:
    """Photos of 1 and 12 MP with a face of a known size."""
    for name, photo in photos.items():
        if len(engine.faces(photo).faces) == 1:
            for scene in SCENES:
                yield f"{name}, {scene.name}", decode(render(scene, photo, engine)).pixels


def crowds(photos: Mapping[str, bytes], engine: Engine) -> Iterator[Named]:
    """Large photos of many people."""
    cast = Cast.of(photos, engine)
    for number, (width, height) in enumerate(SHAPES[:4]):
        for extra, texture in enumerate(TEXTURES):
            turned = bool(extra % 2)
            crowd = Crowd(width, height, texture, 2 * SIZES, turned, 2000 + 10 * number + extra)
            yield f"{width} × {height} {texture}", build_crowd(crowd, cast)[0]


def fusions(photos: Mapping[str, bytes], engine: Engine) -> Iterator[Named]:
    """Every sample's face in every other sample."""
    for source, its_photo in photos.items():
        for target, photo in photos.items():
            if source != target:
                try:
                    yield f"{source} in {target}", decode(engine.fuse(its_photo, photo).picture.image).as_seen()
                except FaceError:
                    continue


def drawings() -> Iterator[Named]:
    """Skin-coloured ellipses with darker discs on plain grounds, by seed."""
    rng = np.random.default_rng(3)
    for number in range(DRAWINGS):
        height, width = (int(rng.integers(300, 900)) for _ in range(2))
        canvas = np.full((height, width, 3), rng.integers(0, 255, 3), np.uint8)
        for _ in range(int(rng.integers(2, 9))):
            _shape(canvas, rng)
        yield f"drawing {number}", np.asarray(cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(1, 12))), np.uint8)


def _shape(canvas: Pixels, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    skin = np.array([rng.integers(110, 190), rng.integers(140, 210), rng.integers(190, 255)])
    centre = int(rng.integers(width)), int(rng.integers(height))
    axes = int(rng.integers(20, width // 2)), int(rng.integers(20, height // 2))
    cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, skin.tolist(), -1)
    if rng.random() < 0.6:
        place = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(canvas, place, int(rng.integers(4, 40)), (skin * 0.6).tolist(), -1)


def _crop(pixels: Pixels, face: Face, share: float) -> Pixels:
    half = share * max(face.box.width, face.box.height) / 2
    x, y = face.box.x + face.box.width / 2, face.box.y + face.box.height / 2
    top, left = max(0, round(y - half)), max(0, round(x - half))
    return np.ascontiguousarray(pixels[top : round(y + half), left : round(x + half)])


def _print(title: str, photos: Iterator[Named], classifier: OpenNsfw, allow: float, block: float, listed: int) -> None:
    scored = sorted(((classifier.score(Shown(pixels)), name) for name, pixels in photos), reverse=True)
    scores = np.array([score for score, _ in scored])
    median, p95 = np.quantile(scores, (0.5, 0.95))
    review, blocked = int(np.sum((scores >= allow) & (scores < block))), int(np.sum(scores >= block))
    print(f"{title:34}{len(scores):>6}{median:>9.3f}{p95:>9.3f}{scores.max():>9.3f}{review:>9}{blocked:>9}", flush=True)
    for score, name in scored[:listed]:
        print(f"      {score:.3f}  {name}")


def _cost(classifier: OpenNsfw, pixels: Pixels, runs: int = 15) -> tuple[float, float]:
    took = []
    for _ in range(runs):
        begun = time.perf_counter()
        classifier.score(Shown(pixels))
        took.append((time.perf_counter() - begun) * 1000)
    return min(took), float(np.median(took))


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", type=int, default=3, help="how many of each group, the highest first")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    settings = config.load()
    registry = Registry(settings.engine.cache)
    models = registry.pull()
    engine = build_engine(models)
    classifier = OpenNsfw(OnnxSession(models[OPEN_NSFW]))
    photos = {name: path.read_bytes() for name, path in sorted(registry.samples().items())}
    everyone = {
        name: [(decode(photo).as_seen(), face) for face in engine.faces(photo).faces] for name, photo in photos.items()
    }
    with_face = {name: photo for name, photo in photos.items() if everyone[name]}
    groups: dict[str, Iterator[Named]] = {
        "samples": samples(photos),
        "samples, exposures, grey, mirrored": exposures(photos),
        "faces cut out, 1 to 4 × their size": crops(everyone, CROPS),
        "scenes of 1 and 12 MP": scenes(photos, engine),
        "crowds of 12 to 48 MP": crowds(photos, engine),
        "fusions": fusions(with_face, engine),
        "skin alone, 0.45 × a face": crops(everyone, (SKIN,)),
        "drawings, no photos": drawings(),
    }
    allow, block = settings.safety.nsfw_allow, settings.safety.nsfw_block
    print(f"{'':34}{'photos':>6}{'median':>9}{'p95':>9}{'highest':>9}{f'≥ {allow:g}':>9}{f'≥ {block:g}':>9}")
    for title, found in groups.items():
        _print(title, found, classifier, allow, block, arguments.list)
    for megapixels in (0.25, 1, 12):
        pixels = np.asarray(cv2.resize(everyone["astronaut"][0][0], (0, 0), fx=megapixels**0.5, fy=megapixels**0.5))
        size = round((megapixels * 1e6) ** 0.5)
        least, middle = _cost(classifier, np.asarray(cv2.resize(pixels, (size, size)), np.uint8))
        print(f"{megapixels:g} MP: {least:.1f} ms at least, median {middle:.1f} ms")


if __name__ == "__main__":
    main()
