"""Builds the engine that the settings describe, for the worker and the command line."""

from __future__ import annotations

from collections.abc import Mapping

import cv2

from facefleet.config import Settings
from facefleet.engine import build
from facefleet.engine.fusion import Engine
from facefleet.engine.inspector import Inspector, NoInspection
from facefleet.engine.models.onnx import OnnxSession
from facefleet.engine.models.registry import Registry, quiet
from facefleet.engine.models.sources import Progress
from facefleet.engine.types import ModelFiles
from facefleet.media.limits import image_limits
from facefleet.safety.nsfw import OPEN_NSFW, NsfwInspector, NsfwPolicy
from facefleet.safety.open_nsfw import OpenNsfw


def build_engine(
    settings: Settings, *, interpreters: int | None = None, progress: Progress = quiet, inspects: bool = True
) -> Engine:
    """An engine over the required models; fetches those that are not in the cache, and does not warm it.

    Args:
        settings: Cache, manifest, limits, threads, and what photos may show.
        interpreters: How many calls run a model at once; the worker's threads where not given.
        progress: Told about every piece that is fetched.
        inspects: Whether pictures are to be made, so that photos are inspected where the settings say so.

    Raises:
        ModelError: A model cannot be had, checked or loaded.
        FileUnwritable: The cache folder cannot be written.
    """
    cv2.setNumThreads(settings.engine.runtime_threads)  # by itself OpenCV takes all cores, and spins on them
    registry = Registry(settings.engine.cache, settings.engine.manifest, progress=progress)
    inspects = inspects and settings.safety.nsfw == "on"
    wanted = [entry.name for entry in registry.entries() if entry.required and (inspects or entry.name != OPEN_NSFW)]
    models = registry.pull(wanted)
    return build.build_engine(
        models,
        inspector=_inspector(settings, models) if inspects else NoInspection(),
        interpreters=settings.worker.threads if interpreters is None else interpreters,
        runtime_threads=settings.engine.runtime_threads,
        limits=image_limits(settings.images),
        cache_bytes=settings.engine.cache_bytes,
        cache_seconds=settings.engine.cache_seconds,
    )


def _inspector(settings: Settings, models: Mapping[str, ModelFiles]) -> Inspector:
    safety = settings.safety
    policy = NsfwPolicy(safety.nsfw_allow, safety.nsfw_block, results=safety.nsfw_results == "on")
    session = OnnxSession(build.needed(models, OPEN_NSFW), runtime_threads=settings.engine.runtime_threads)
    return NsfwInspector(OpenNsfw(session), policy)
