"""Decodes damaged photos one after the other in a process of its own, which may die of it.

    python -m tests.fuzz.child PHOTO SEED FIRST COUNT PROGRESS

The number of the case at hand is in the file PROGRESS before it is touched, so that whoever watches knows what killed
us; at the end a line of JSON says how it went.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
from tests.fuzz.mutations import case, corpus

from facefleet.engine.codec.image import decode, encode
from facefleet.errors.input import ImageError
from facefleet.media.sniff import Limits, sniff

LIMITS = Limits(max_bytes=2_000_000, max_pixels=2_000_000, max_side=16_000, min_side=1)
ENCODED_EVERY = 8


def outcome(data: bytes, *, encoded: bool) -> str:
    """The code of a refusal, or ``pixels``; anything else is a finding and is raised."""
    try:
        header = sniff(data, LIMITS)
        frame = decode(data, LIMITS)
    except ImageError as error:
        return error.code
    size = (header.height, header.width)
    assert frame.pixels.shape == (*size, 3), frame.pixels.shape
    assert frame.alpha is None or frame.alpha.shape == size, "alpha of another size"
    if encoded and min(size) >= 2:
        again = sniff(encode(frame), Limits(min_side=1))
        assert (again.height, again.width, again.type) == (*size, frame.type), again
    return "pixels"


def main() -> None:
    photo, seed, first, count, progress = sys.argv[1:]
    cv2.setNumThreads(1)
    seeds = corpus(Path(photo).read_bytes())
    for data in seeds:
        outcome(data, encoded=True)
    counted: Counter[str] = Counter()
    slowest = (0.0, -1)
    file = os.open(progress, os.O_WRONLY | os.O_CREAT)
    for number in range(int(first), int(first) + int(count)):
        os.pwrite(file, number.to_bytes(8, "little"), 0)
        data = case(int(seed), number, seeds)
        began = time.process_time()
        counted[outcome(data, encoded=number % ENCODED_EVERY == 0)] += 1
        slowest = max(slowest, (time.process_time() - began, number))
    # Not ru_maxrss: that one remembers the process this was forked from.
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) // 1024
    print(json.dumps({"outcomes": counted, "seconds": slowest[0], "slowest": slowest[1], "peak_mb": peak}))


if __name__ == "__main__":
    main()
