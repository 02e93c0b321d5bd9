"""What making a face younger or older costs, by the width of the face: medians of CPU time, one thread.

    python -m benchmarks.age [--runs 30]

Weights and the photo come from the user's cache; the photo is scaled so that its face has the width asked for.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import median

import cv2
import numpy as np
import platformdirs

from facefleet.engine.aging.ager import DetailAger
from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.models.registry import Registry
from facefleet.engine.steps.blend import blend
from facefleet.engine.types import Portrait

WIDTHS = (34, 150, 520)  # px


def scaled(whole: Portrait, width: float) -> Portrait:
    """The same portrait with a face of another width, px."""
    scale = width / whole.face.box.width
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(whole.pixels, None, fx=scale, fy=scale, interpolation=way), np.uint8)
    return Portrait(pixels, replace(whole.face, landmarks=np.asarray(whole.face.landmarks * scale, np.float32)))


def cost(portrait: Portrait, amount: float, runs: int) -> float:
    """Median milliseconds of CPU time, which a busy machine does not stretch as it does time on the wall."""
    took = []
    for _ in range(runs + 2):
        canvas = portrait.pixels.copy()
        start = time.thread_time()
        blend(canvas, DetailAger().age(Portrait(canvas, portrait.face), amount), 1.0)
        took.append((time.thread_time() - start) * 1000)
    return median(took[2:])  # the first ones fill the caches


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=30)
    runs = parser.parse_args().runs
    cv2.setNumThreads(1)
    registry = Registry(platformdirs.user_cache_path("facefleet"))
    photo = registry.samples(["smiling_woman"])["smiling_woman"].read_bytes()
    whole = Portrait(decode(photo).pixels, build_engine(registry.pull()).faces(photo).faces[0])
    print(f"medians of {runs} runs, CPU ms; cv2 on one thread\n\n{'face px':>8}{'younger':>10}{'older':>10}")
    for width in WIDTHS:
        portrait = scaled(whole, width)
        took = [cost(portrait, amount, runs) for amount in (-1.0, 1.0)]
        print(f"{width:8}" + "".join(f"{ms:10.1f}" for ms in took))


if __name__ == "__main__":
    main()
