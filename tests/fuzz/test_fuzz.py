"""Damaged photos by the thousand: every one is read or refused, and no process dies, hangs or grows over it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fuzz.mutations import case, corpus

HANG_SECONDS = 30.0  # of one case, on a machine that does other things too
CASE_SECONDS = 2.0  # of the processor
PEAK_MB = 500  # the undamaged photos take 270, two million pixels of 16 bits with alpha 16 more in each copy


@dataclass(frozen=True)
class Report:
    outcomes: Counter[str]
    seconds: float
    slowest: int
    peak_mb: int


def watched(photo: Path, seed: int, first: int, count: int, folder: Path) -> Report:
    """Run one child; what it dies of or hangs in is saved and named."""
    progress = folder / f"progress-{first}"
    command = [sys.executable, "-m", "tests.fuzz.child", str(photo), str(seed), str(first), str(count), str(progress)]
    with (folder / f"errors-{first}").open("w+") as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        seen, since = b"", time.monotonic()
        while True:
            try:
                out, _ = child.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                now = progress.read_bytes() if progress.exists() else b""
                seen, since = (seen, since) if now == seen else (now, time.monotonic())
                if now and time.monotonic() - since > HANG_SECONDS:
                    child.kill()
        if child.returncode != 0:
            errors.seek(0)
            number = int.from_bytes(progress.read_bytes(), "little") if progress.exists() else -1
            pytest.fail(f"{saved(photo, seed, number)}: exit {child.returncode}\n{errors.read()[-2000:]}")
    told = json.loads(out)
    return Report(Counter(told["outcomes"]), told["seconds"], told["slowest"], told["peak_mb"])


def saved(photo: Path, seed: int, number: int) -> str:
    folder = Path(os.environ.get("OUT", "out"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"fuzz-{seed}-{number}.bin"
    path.write_bytes(case(seed, number, corpus(photo.read_bytes())))
    return f"seed {seed}, case {number}, saved as {path}"


def fuzzed(photo: Path, seed: int, count: int, folder: Path, children: int = 2) -> None:
    began = time.monotonic()
    share = count // children
    with ThreadPoolExecutor(children) as threads:
        reports = list(threads.map(lambda n: watched(photo, seed, n * share, share, folder), range(children)))
    total = sum((report.outcomes for report in reports), Counter[str]())
    worst = max(reports, key=lambda report: report.seconds)
    print(f"\nseed {seed}: {total.total():,} cases in {time.monotonic() - began:.0f} s;")
    print(f"slowest {worst.seconds * 1000:.0f} ms of processor (case {worst.slowest});")
    print(f"peak memory {max(report.peak_mb for report in reports)} MB;")
    print(", ".join(f"{code} {count:,}" for code, count in total.most_common()))
    assert total.total() == share * children
    assert total["pixels"] > count / 50, "the damage must leave something to decode"
    assert worst.seconds < CASE_SECONDS, saved(photo, seed, worst.slowest)
    assert max(report.peak_mb for report in reports) < PEAK_MB


def test_some_thousand_damaged_photos_are_read_or_refused(samples: Mapping[str, Path], tmp_path: Path) -> None:
    fuzzed(samples["astronaut"], seed=1, count=3_000, folder=tmp_path, children=1)


@pytest.mark.fuzz
@pytest.mark.timeout(900)
def test_two_hundred_thousand_damaged_photos_are_read_or_refused(samples: Mapping[str, Path], tmp_path: Path) -> None:
    """A new seed every time: ``FUZZ_SEED`` repeats one."""
    seed = int(os.environ.get("FUZZ_SEED", "0")) or int(time.time())
    fuzzed(samples["astronaut"], seed, count=200_000, folder=tmp_path)
