"""What one fusion costs, step by step, on one core: medians, next to the floor that no engine gets under.

    make bench
    python -m benchmarks.engine [--runs 20] [--cache FOLDER]

The floor is measured between the runs, in the same process: decoding both photos and encoding the result by the bare
codec, and as many bare inferences as the pipeline took. Weights and photos come from the user's cache.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import platformdirs
from benchmarks.scenes import Scene, render

from facefleet.engine.build import MODELS, build_engine
from facefleet.engine.codec.image import decode, encode
from facefleet.engine.fusion import Engine
from facefleet.engine.inspector import Shown
from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.models.onnx import OnnxSession
from facefleet.engine.models.registry import Registry
from facefleet.engine.models.session import ImageModel, Tensor
from facefleet.engine.types import Floats, ModelFiles, Pixels
from facefleet.safety.nsfw import OPEN_NSFW
from facefleet.safety.open_nsfw import OpenNsfw

FACE_STEPS = ("prepare", "align", "warp", "colour", "blend")
SMALL, LARGE, SMALL_IN_LARGE = Scene(1280, 853, 150), Scene(4240, 2832, 520), Scene(4240, 2832, 150)
SOURCE, TARGET = "grace_hopper", "smiling_man"  # neither file, as used, needs a colour conversion
WARM_RUNS = 3  # they fill the caches
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Setup:
    """What every measurement starts from."""

    models: Mapping[str, ModelFiles]
    source: bytes
    runs: int

    def engine(self, *, interpreters: int = 1, cache_bytes: int = 0) -> Engine:
        """Warmed."""
        engine = build_engine(self.models, interpreters=interpreters, runtime_threads=1, cache_bytes=cache_bytes)
        engine.warm()
        return engine


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians of one scene, ms."""

    steps: Mapping[str, float]
    floor: float

    @property
    def total(self) -> float:
        """Of all steps."""
        return sum(self.steps.values())

    @property
    def face(self) -> float:
        """Of the steps between two located faces and the canvas."""
        return sum(self.steps[step] for step in FACE_STEPS)


class Floor:
    """The work that is left of a fusion when everything but codecs and models is taken away."""

    def __init__(self, setup: Setup, target: bytes) -> None:
        self._models = {name: ImageModel(LiteRtSession(setup.models[name])) for name in MODELS}
        self._files = [np.frombuffer(photo, np.uint8) for photo in (setup.source, target)]
        self._frame = decode(target)
        self._inputs = {name: _input(model, self._frame.pixels) for name, model in self._models.items()}
        self._runs = _model_runs(setup, target)

    def __call__(self) -> float:
        """Milliseconds."""
        begun = time.perf_counter()
        for file in self._files:
            cv2.imdecode(file, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        for name, runs in self._runs.items():
            for _ in range(runs):
                self._models[name].run(self._inputs[name])
        encode(self._frame)
        return (time.perf_counter() - begun) * 1000


def _input(model: ImageModel, pixels: Pixels) -> Floats:
    """The photo at the model's size: numbers like those it meets."""
    small = cv2.resize(pixels, (model.size, model.size), interpolation=cv2.INTER_AREA)
    return np.asarray(small[None], np.float32) / np.float32(255)


def _model_runs(setup: Setup, target: bytes) -> dict[str, int]:
    """How often a fusion runs each model."""
    counted: dict[str, int] = {}
    bare = LiteRtSession.run

    def run(self: LiteRtSession, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        counted[self.model.name] = counted.get(self.model.name, 0) + 1
        return bare(self, batch)

    engine = setup.engine()
    LiteRtSession.run = run  # type: ignore[method-assign]
    try:
        engine.fuse(setup.source, target)
    finally:
        LiteRtSession.run = bare  # type: ignore[method-assign]
    return counted


def costs_of(setup: Setup, scenes: Mapping[Scene, bytes]) -> dict[Scene, Cost]:
    """Time fusion and floor of every scene in turns: the machine's own speed may change from minute to minute."""
    engine = setup.engine()
    floors = {scene: Floor(setup, target) for scene, target in scenes.items()}
    laps: dict[Scene, dict[str, list[float]]] = {scene: {} for scene in scenes}
    bare: dict[Scene, list[float]] = {scene: [] for scene in scenes}
    for run in range(setup.runs + WARM_RUNS):
        for scene, target in scenes.items():
            fused, floor = engine.fuse(setup.source, target), floors[scene]()
            if run >= WARM_RUNS:
                bare[scene].append(floor)
                for step, took in fused.timings_ms.items():
                    laps[scene].setdefault(step, []).append(took)
    return {
        scene: Cost({step: median(took) for step, took in laps[scene].items()}, median(bare[scene])) for scene in scenes
    }


def prepared_gain(setup: Setup, target: bytes) -> float:
    """Time of a fusion over that of one whose target is ready, runs in turns."""
    plain, keeping = setup.engine(), setup.engine(cache_bytes=256 * _MEBIBYTE)
    keeping.prepare_target(target)
    times = _in_turns(setup.runs, lambda: plain.fuse(setup.source, target), lambda: keeping.fuse(setup.source, target))
    return times[0] / times[1]


def gate_costs(setup: Setup, target: bytes) -> tuple[float, float]:
    """Milliseconds to score a target, and time of a fusion whose photos are both unknown over one without the gate."""
    engine, classifier = setup.engine(), OpenNsfw(OnnxSession(setup.models[OPEN_NSFW]))
    source, photo = Shown(decode(setup.source).pixels), Shown(decode(target).pixels)
    fused, of_source, of_target = _in_turns(
        setup.runs, lambda: engine.fuse(setup.source, target), lambda: classifier.score(source),
        lambda: classifier.score(photo),
    )  # fmt: skip
    return of_target * 1000, (fused + of_source + of_target) / fused


def thread_gain(setup: Setup, target: bytes) -> float:
    """Fusions a second of two threads over those of one, runs in turns."""
    engine = setup.engine(interpreters=2)
    each = 6

    def work(_: int) -> None:
        for _ in range(each):
            engine.fuse(setup.source, target)

    with ThreadPoolExecutor(2) as threads:
        times = _in_turns(max(3, setup.runs // 3), lambda: work(0), lambda: list(threads.map(work, range(2))))
    return 2 * times[0] / times[1]


def memory_share(cache: Path, source: bytes, scene: Scene, target: bytes) -> float:
    """Peak memory of a fusion over the warmed baseline, by the size of the decoded target; in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_bytes, (cache, source, target)) / scene.decoded_bytes


def _peak_bytes(cache: Path, source: bytes, target: bytes) -> int:
    cv2.setNumThreads(1)
    engine = build_engine(Registry(cache).load())
    engine.warm()
    engine.fuse(source, source)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins anew (proc(5))
    before = _status_bytes("VmRSS")
    engine.fuse(source, target)
    return _status_bytes("VmHWM") - before


def _status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def _in_turns(runs: int, *works: Callable[[], object]) -> list[float]:
    """Median seconds of each."""
    took: list[list[float]] = [[] for _ in works]
    for _ in range(runs + WARM_RUNS):
        for times, work in zip(took, works, strict=True):
            begun = time.perf_counter()
            work()
            times.append(time.perf_counter() - begun)
    return [median(times[WARM_RUNS:]) for times in took]


def _print_costs(costs: Mapping[Scene, Cost]) -> None:
    steps = list(next(iter(costs.values())).steps)
    heads = [*steps, "face", "sum", "floor", "ratio"]
    print(f"{'target':22}" + "".join(f"{head:>10}" for head in heads))
    for scene, one in costs.items():
        cells = [*(one.steps[step] for step in steps), one.face, one.total, one.floor]
        print(f"{scene.name:22}" + "".join(f"{cell:>10.1f}" for cell in cells) + f"{one.total / one.floor:>10.2f}")


def _print_target(what: str, value: float, bound: float, *, at_least: bool = False) -> None:
    met = value >= bound if at_least else value <= bound
    print(f"{what:70}{value:>8.2f}{'≥' if at_least else '≤':>3} {bound:<6.1f}{'met' if met else 'missed'}")


def _measured(setup: Setup, photo: bytes, cache: Path) -> None:
    scenes = {scene: render(scene, photo, setup.engine()) for scene in (SMALL, LARGE, SMALL_IN_LARGE)}
    costs = costs_of(setup, scenes)
    _print_costs(costs)
    print()
    _print_target("sum by floor, 1 MP", costs[SMALL].total / costs[SMALL].floor, 2.0)
    _print_target("sum by floor, 12 MP", costs[LARGE].total / costs[LARGE].floor, 1.5)
    _print_target("face steps, 12 MP by 1 MP, same face", costs[SMALL_IN_LARGE].face / costs[SMALL].face, 1.1)
    _print_target("target ready, 12 MP: times as fast", prepared_gain(setup, scenes[LARGE]), 1.6, at_least=True)
    _print_target("two threads, 1 MP: times one", thread_gain(setup, scenes[SMALL]), 1.7, at_least=True)
    _print_target("two threads, 12 MP: times one", thread_gain(setup, scenes[LARGE]), 1.7, at_least=True)
    for scene in (SMALL, LARGE):
        photo_ms, share = gate_costs(setup, scenes[scene])
        _print_target(f"gate: ms a photo, {scene.name}", photo_ms, 15.0)
        _print_target(f"gate: fusion of two unknown photos by one without, {scene.name}", share, 1.5)
    _print_target("peak memory by decoded target, 12 MP", memory_share(cache, setup.source, LARGE, scenes[LARGE]), 6.0)


def main() -> None:
    """Print the table and the targets."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("facefleet"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    registry = Registry(arguments.cache)
    models, samples = registry.pull(), registry.samples([SOURCE, TARGET])
    setup = Setup(models, samples[SOURCE].read_bytes(), arguments.runs)
    print(f"medians of {arguments.runs} runs, ms; cv2 and LiteRT on one thread; {SOURCE} into {TARGET}\n")
    _measured(setup, samples[TARGET].read_bytes(), arguments.cache)


if __name__ == "__main__":
    main()
