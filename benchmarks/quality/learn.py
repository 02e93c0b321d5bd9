"""Makes ``engine/mesh/occlusion.json``: learns from built scenes what belongs to a face and what lies before it.

    make learn    # about 15 minutes on one core; the same machine writes the same file

A network says of each pixel whether a thing lies before it (``training.py``), a logistic regression of each area of
such pixels whether it is a thing by all that is known of it (``engine/mesh/evidence.py``).
"""

from __future__ import annotations

import argparse
import json
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import platformdirs
from benchmarks.quality import faces
from benchmarks.quality.examples import Example, disturbed, examples, mixed
from benchmarks.quality.training import BATCH, Batch, trained

from facefleet.engine.build import LANDMARK, build_engine
from facefleet.engine.mesh import canonical, evidence, occlusion
from facefleet.engine.mesh.covered import candidates, known_of
from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.models.registry import Registry
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.types import Floats

FREE = ("astronaut", "grace_hopper", "portrait_man")  # public domain or MIT
EPOCHS = 12
EPOCHS_WITHOUT = 8  # of the networks that have not seen one of the people
COVERED_WEIGHT, BARE_WEIGHT = 3.0, 1.5  # of pixels of things, and of pixels of scenes with nothing before the face
RIDGE = 600.0  # strong: three people must speak for all


def learned(made: list[Example], seed: int) -> occlusion.Judge:
    """All of it. What is known of areas comes from faces that a network had not seen, one person after the other."""
    known, are_things = [], []
    for person in sorted({one.name for one in made}):
        judge = judged([one for one in made if one.name != person], EPOCHS_WITHOUT, seed)
        for one in (one for one in made if one.name == person):
            numbers, wanted = areas_of(judge, one)
            known.append(numbers)
            are_things.append(wanted)
    judge = judged(made, EPOCHS, seed)
    weights = weighed(np.concatenate(known), np.concatenate(are_things))
    return occlusion.Judge(judge.template, judge.network, weights)


def judged(made: list[Example], epochs: int, seed: int) -> occlusion.Judge:
    """The template and the network."""
    rng = np.random.default_rng(seed)
    bare = [one for one in made if not one.covered.any()]
    template = mean_face(bare)
    whole = occlusion.unfolded(template)
    order = np.array([], np.intp)

    def batch() -> Batch:
        nonlocal order
        if len(order) < BATCH:
            order = rng.permutation(len(made))
        chosen, order = order[:BATCH], order[BATCH:]
        rows = [_shown(disturbed(mixed(made[number], bare, rng), rng), whole, rng) for number in chosen]
        detail, words, wanted, weight = (np.stack(each) for each in zip(*rows, strict=True))
        return detail, words, wanted, weight

    network = trained(batch, epochs * (len(made) // BATCH), rng)
    return occlusion.Judge(template, network, np.zeros(evidence.COUNT + 1, np.float32))


def mean_face(bare: list[Example]) -> Floats:
    """The template: half a face at half the resolution."""
    mean = np.mean([canonical.lightness(one.face) for one in bare], axis=0)
    mean = (mean + mean[:, ::-1]) / 2
    half = cv2.resize(mean, (canonical.WIDTH // 2, canonical.HEIGHT // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(half[:, : canonical.WIDTH // 4], np.float32)


def areas_of(judge: occlusion.Judge, one: Example) -> tuple[Floats, np.ndarray]:
    """What is known of the areas of a scene that may be things, and which of them are."""
    said = judge(one.face)
    areas = candidates(said)
    if not areas:
        return np.zeros((0, evidence.COUNT), np.float32), np.zeros(0, bool)
    true = np.array([float((one.covered[area] > 0.5).mean()) > 0.5 for area in areas])
    return known_of(areas, said, one.face), true


def weighed(known: Floats, things: np.ndarray) -> Floats:
    """Logistic regression by Newton's method, with a ridge; ``(COUNT + 1,)``."""
    mean, spread = known.mean(axis=0), known.std(axis=0) + 1e-3
    inputs = np.c_[(known - mean) / spread, np.ones(len(known))].astype(np.float64)
    values = np.zeros(inputs.shape[1])
    for _ in range(30):
        share = 1 / (1 + np.exp(-np.clip(inputs @ values, -30, 30)))
        curve = (inputs * (share * (1 - share))[:, None]).T @ inputs + RIDGE * np.eye(len(values))
        values -= np.linalg.solve(curve, inputs.T @ (share - things) + RIDGE * values)
    plain = values[:-1] / spread
    return np.append(plain, values[-1] - float(mean @ plain)).astype(np.float32)


def _shown(one: Example, template: Floats, rng: faces.Random) -> Batch:
    """A scene as the network sees it, mirrored or not; what it should say, and how much that counts."""
    way = slice(None, None, -1 if rng.random() < 0.5 else 1)
    detail, words = canonical.described(np.ascontiguousarray(one.face[:, way]), template)
    wanted, counts = one.covered[:, way] > 0.5, one.counts[:, way]
    # A bare face that is called covered costs a fusion: it counts for more.
    weight = counts * np.where(wanted, COVERED_WEIGHT, 1.0 if one.covered.any() else BARE_WEIGHT)
    return detail, words, np.asarray(wanted, np.float32), np.asarray(weight, np.float32)


def main() -> None:
    """Build, learn, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenes", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("facefleet"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    registry = Registry(arguments.cache)
    models = registry.pull()
    shots = faces.shots(build_engine(models), registry.samples(list(FREE)))
    made = list(examples(shots, Landmarker(LiteRtSession(models[LANDMARK])), arguments.scenes, arguments.seed))
    judge = learned(made, arguments.seed)
    path = Path(str(resources.files("facefleet.engine.mesh").joinpath("occlusion.json")))
    path.write_text(json.dumps(judge.to_json(), separators=(",", ":")) + "\n", "ascii")
    print(f"{len(made)} scenes, {judge.count} numbers in {path}")


if __name__ == "__main__":
    main()
