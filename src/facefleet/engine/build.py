"""Builds the engine: the one place that chooses its models, detector, landmarker, swapper, ager and inspector."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from facefleet.engine.aging.ager import DetailAger
from facefleet.engine.cache import KEPT_SECONDS, Cache
from facefleet.engine.fusion import Engine
from facefleet.engine.inspector import Inspector, NoInspection
from facefleet.engine.mesh.eyelids import Eyelids
from facefleet.engine.mesh.hands import GLANCE_SIDE, Hands
from facefleet.engine.mesh.swapper import MeshSwapper
from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.steps.detect import Detector
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.types import ModelFiles
from facefleet.errors.model import ModelUnknown
from facefleet.media.sniff import Limits

FULL_RANGE = "face_detection_full_range"
SHORT_RANGE = "face_detection_short_range"
LANDMARK = "face_landmark"
IRIS = "iris_landmark"
PALM = "palm_detection"
HAND = "hand_landmark"
MODELS = (FULL_RANGE, SHORT_RANGE, LANDMARK, IRIS, PALM, HAND)


def build_engine(
    models: Mapping[str, ModelFiles],
    *,
    inspector: Inspector = NoInspection(),  # noqa: B008 - it has no state
    interpreters: int = 1,
    runtime_threads: int = 1,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    cache_bytes: int = 0,
    cache_seconds: float = KEPT_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Engine:
    """An engine of the built-in parts, not warmed.

    Args:
        models: Name to files; the names above are needed.
        inspector: Looks at photos and results.
        interpreters: Copies of each model, so many callers can be inside a model at once.
        runtime_threads: Threads of each interpreter.
        limits: What one photo may measure.
        cache_bytes: How much may be kept of photos that come again; 0: nothing.
        cache_seconds: How long.
        clock: Seconds, for the timings.

    Raises:
        ModelUnknown: One of the models is not among ``models``.
        ModelLoadFailed: The runtime does not accept the weights.
    """
    chosen = [needed(models, name) for name in MODELS]
    full, short, landmark, iris = (
        LiteRtSession(model, interpreters=interpreters, runtime_threads=runtime_threads) for model in chosen[:4]
    )
    hands = build_hands(models, interpreters=interpreters, runtime_threads=runtime_threads)
    return Engine(
        detector=Detector(full, short),
        landmarker=Landmarker(landmark),
        swapper=MeshSwapper(Eyelids(iris), hands),
        ager=DetailAger(),
        inspector=inspector,
        versions={model.name: model.version for model in chosen} | dict(inspector.versions),
        limits=limits,
        cache=Cache(cache_bytes, cache_seconds),
        clock=clock,
    )


def build_hands(models: Mapping[str, ModelFiles], *, interpreters: int = 1, runtime_threads: int = 1) -> Hands:
    """What finds hands before faces; arguments and errors as above."""
    palms, joints = needed(models, PALM), needed(models, HAND)
    return Hands(
        LiteRtSession(palms, interpreters=interpreters, runtime_threads=runtime_threads, side=GLANCE_SIDE),
        LiteRtSession(palms, interpreters=interpreters, runtime_threads=runtime_threads),
        LiteRtSession(joints, interpreters=interpreters, runtime_threads=runtime_threads),
    )


def needed(models: Mapping[str, ModelFiles], name: str) -> ModelFiles:
    """The files of a model.

    Raises:
        ModelUnknown: It is not among ``models``.
    """
    if name not in models:
        raise ModelUnknown(f"The engine needs the model {name}; add it to the manifest.", name=name)
    return models[name]
