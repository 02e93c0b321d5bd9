from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facefleet.engine.build import build_engine
from facefleet.engine.memory import array_bytes, named_shortage
from facefleet.engine.types import ModelFiles
from facefleet.errors.base import FacefleetError
from facefleet.errors.model import OutOfMemory

MEGABYTE = 1024 * 1024


def fuse_within(models: Mapping[str, ModelFiles], source: bytes, target: bytes, megabytes: int) -> str:
    """The code of what a fusion ends with that may take so much more memory; empty when it succeeds."""
    engine = build_engine(models, interpreters=1)
    engine.warm()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        engine.fuse(source, target)
    except FacefleetError as error:
        return error.code
    return ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
@pytest.mark.parametrize(("megabytes", "code"), [(20, "out_of_memory"), (120, "out_of_memory"), (1000, "")])
def test_a_photo_that_does_not_fit_is_not_called_damaged(
    models: Mapping[str, ModelFiles], samples: Mapping[str, Path], megabytes: int, code: str
) -> None:
    target = cv2.imread(str(samples["grace_hopper"]))
    assert target is not None
    _, large = cv2.imencode(".jpg", cv2.resize(target, (6000, 7000)))
    source = samples["astronaut"].read_bytes()
    plain = {name: replace(model, files=dict(model.files)) for name, model in models.items()}  # can be sent
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(fuse_within, plain, source, large.tobytes(), megabytes).result(60) == code


def test_what_opencv_cannot_allocate_is_a_shortage_and_its_other_errors_are_not() -> None:
    with pytest.raises(OutOfMemory), named_shortage():
        raise MemoryError
    with pytest.raises(cv2.error), named_shortage():
        cv2.resize(np.zeros((0, 0), np.uint8), (1, 1))


@dataclass(frozen=True, eq=False)
class Thing:
    pixels: np.ndarray


def test_array_bytes_counts_every_array_once_and_views_by_what_they_keep_alive() -> None:
    whole = np.zeros((100, 100), np.uint8)
    assert array_bytes((Thing(whole), Thing(whole[:2, :2]), {"a": [np.zeros(8)]})) == 10_000 + 64
