"""Small files that would become large: what they cost is measured, in a process that has decoded nothing as large."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

import pytest
from tests.odd.table import ROWS, Original

from facefleet.engine.codec.image import decode
from facefleet.engine.types import Pixels
from facefleet.errors.input import ImageError

BOMBS = (
    "a PNG whose pixels unpack to a gigabyte",
    "a PNG whose profile is a bomb",
    "a PNG whose text is a bomb",
    "a PNG whose other text is a bomb",
    "a PNG of 60,000 px",
    "a PNG of 2³² px",
    "a PNG of 255 bits",
    "a JPEG of 50,000 px",
    "a JPEG of 210 scans",
    "a WebP of 16,384 px",
    "a profile of 6 MB",
)
GROWN_MB = 30  # the largest file has 6 MB, a profile is unpacked to 4
CASE_SECONDS = 0.5  # of the processor


def costs(plain: bytes, bombs: Mapping[str, bytes]) -> dict[str, tuple[float, float]]:
    """Name to MB by which the process's peak grew, and seconds of the processor."""
    decode(plain)
    found = {}
    for name, data in bombs.items():
        before, began = peak(), time.process_time()
        with suppress(ImageError):
            decode(data)
        found[name] = peak() - before, time.process_time() - began
    return found


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_a_bomb_costs_no_more_than_a_photo(astronaut: Pixels) -> None:
    original = Original(astronaut)
    bombs = {row.name: row.make(original) for row in ROWS if row.name in BOMBS}
    assert len(bombs) == len(BOMBS)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(costs, original.png, bombs).result(60)
    assert not {name: cost for name, cost in found.items() if cost[0] > GROWN_MB or cost[1] > CASE_SECONDS}
