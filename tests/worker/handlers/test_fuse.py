"""Tasks with several sources, and photos that come again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.worker.conftest import Bench, Build

from facefleet.engine.build import build_engine
from facefleet.engine.types import ModelFiles
from facefleet.tasks.transitions import State


def test_every_source_of_a_task_is_loaded_and_fused(bench: Bench, samples: Mapping[str, Path]) -> None:
    sources = [samples[name].read_bytes() for name in ("astronaut", "smiling_woman", "grace_hopper")]
    faces = [{"source": number, "source_face": None, "target_face": number} for number in range(3)]
    task = bench.queue(sources[0], samples["group"].read_bytes(), *sources[1:], faces=faces, tiles=False)
    bench.runner(task.id)
    done = bench.read(task)
    assert (done.state, done.failure) == (State.SUCCEEDED, None)


def test_a_record_of_a_release_with_one_source_is_done(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    task = bench.queue(*photos, strength=1.0, shape=0.5, source_face=None, target_face=None)
    bench.runner(task.id)
    assert bench.read(task).state is State.SUCCEEDED


def test_a_source_that_no_assignment_uses_fails_the_task(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    task = bench.queue(*photos, photos[0])
    bench.runner(task.id)
    failure = bench.read(task).failure
    assert failure is not None
    assert failure.code == "option_invalid"


def test_photos_that_come_again_are_counted(
    build: Build, models: Mapping[str, ModelFiles], photos: tuple[bytes, bytes]
) -> None:
    bench = build(engine=build_engine(models, cache_bytes=64 << 20))
    for _ in range(3):
        bench.runner(bench.queue(*photos).id)
    counted = {
        (photo, outcome): bench.count("facefusion_prepared_photos_total", photo=photo, outcome=outcome)
        for photo in ("source", "target")
        for outcome in ("hit", "miss")
    }
    assert counted == {
        ("source", "hit"): 1, ("source", "miss"): 2, ("target", "hit"): 1, ("target", "miss"): 2,
    }  # fmt: skip
