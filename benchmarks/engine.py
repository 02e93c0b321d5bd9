"""What one fusion costs, step by step, on one core: medians, next to the floor that no engine gets under.

    python -m benchmarks.engine [--runs 30]

The floor is decoding both photos, one bare inference per look that the pipeline takes, and encoding the result.
Weights and photos come from the user's cache; the larger photos are the group photo enlarged.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import platformdirs

from facefleet.engine.fusion import FULL_RANGE, LANDMARK, Engine
from facefleet.engine.image import decode, encode
from facefleet.engine.models.registry import Registry
from facefleet.engine.models.session import Session
from facefleet.engine.types import FuseOptions, ModelFiles

STEPS = ("decode", "detect", "landmarks", "align", "warp", "colour", "blend", "encode")
FACE_STEPS = ("align", "warp", "colour", "blend")


def timed(work: Callable[[], object], runs: int) -> float:
    """Median milliseconds."""
    took = []
    for _ in range(runs + 3):
        start = time.perf_counter()
        work()
        took.append((time.perf_counter() - start) * 1000)
    return median(took[3:])  # the first ones fill the caches


def floor(models: dict[str, ModelFiles], source: bytes, target: bytes, looks: int, runs: int) -> float:
    """Decode, encode and bare inference, ms; ``looks`` landmark inferences."""
    full, landmark = Session(models[FULL_RANGE]), Session(models[LANDMARK])
    blank_full, blank_landmark = (np.zeros(session.input_shape, np.float32) for session in (full, landmark))
    frame = decode(target)
    return (
        timed(lambda: (decode(source), decode(target), encode(frame)), runs)
        + 2 * timed(lambda: full.run(blank_full), runs)
        + looks * timed(lambda: landmark.run(blank_landmark), runs)
    )


def scenes(samples: dict[str, Path]) -> list[tuple[str, bytes]]:
    """Targets: name and JPEG."""
    group = decode(samples["group"].read_bytes()).pixels
    single = np.ascontiguousarray(group[150:650, 0:400])  # one of the six alone
    canvas = np.full((886, 1280, 3), 127, np.uint8)
    canvas[200:700, 400:800] = single
    half = cv2.resize(np.ascontiguousarray(group[200:500, 0:250]), None, fx=4.5, fy=4.5, interpolation=cv2.INTER_CUBIC)
    large = np.full((3000, 4000, 3), 127, np.uint8)
    large[500 : 500 + half.shape[0], 1000 : 1000 + half.shape[1]] = half
    small = np.full((3000, 4000, 3), 127, np.uint8)
    small[1000:1500, 1500:1900] = single
    pictures = {
        "1 MP, one face": canvas,
        "1 MP, six faces": group,
        "12 MP, large face": large,
        "12 MP, one face": small,
    }
    options = [cv2.IMWRITE_JPEG_QUALITY, 92]
    return [(name, bytes(cv2.imencode(".jpg", pixels, options)[1])) for name, pixels in pictures.items()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("facefleet"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    registry = Registry(arguments.cache)
    models, samples = registry.pull(), registry.samples(["smiling_man", "group"])
    engine = Engine(models, interpreters=1, runtime_threads=1)
    engine.warm()
    source = samples["smiling_man"].read_bytes()
    print(f"medians of {arguments.runs} runs, ms; cv2 and LiteRT on one thread; source 572 × 562 px\n")
    print(f"{'target':22}{'face px':>8}" + "".join(f"{step:>11}" for step in (*STEPS, "face", "total", "floor")))
    for name, target in scenes(samples):
        laps: dict[str, list[float]] = {}
        count = len(engine.faces(target).faces)
        for run in range(arguments.runs + 3):
            fused = engine.fuse(source, target, FuseOptions())
            for step, took in fused.timings_ms.items() if run >= 3 else ():
                laps.setdefault(step, []).append(took)
        row = {step: median(values) for step, values in laps.items()}
        row["face"], row["total"] = sum(row[step] for step in FACE_STEPS), sum(row[step] for step in STEPS)
        row["floor"] = floor(models, source, target, 2 * (count + 1), arguments.runs)
        cells = "".join(f"{row[step]:>11.1f}" for step in (*STEPS, "face", "total", "floor"))
        print(f"{name:22}{fused.faces[0].box.short_side:>8.0f}{cells}")


if __name__ == "__main__":
    main()
