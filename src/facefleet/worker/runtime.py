"""Builds the engine that the settings describe, for the worker and the command line."""

from __future__ import annotations

import cv2

from facefleet.config import Settings
from facefleet.engine import build
from facefleet.engine.fusion import Engine
from facefleet.engine.models.registry import Registry, quiet
from facefleet.engine.models.sources import Progress
from facefleet.media.limits import image_limits


def build_engine(settings: Settings, *, interpreters: int | None = None, progress: Progress = quiet) -> Engine:
    """An engine over the required models; fetches those that are not in the cache, and does not warm it.

    Args:
        settings: Cache, manifest, limits and threads.
        interpreters: How many calls run a model at once; the worker's threads where not given.
        progress: Told about every piece that is fetched.

    Raises:
        ModelError: A model cannot be had, checked or loaded.
        FileUnwritable: The cache folder cannot be written.
    """
    cv2.setNumThreads(settings.engine.runtime_threads)  # by itself OpenCV takes all cores, and spins on them
    registry = Registry(settings.engine.cache, settings.engine.manifest, progress=progress)
    return build.build_engine(
        registry.pull(),
        interpreters=settings.worker.threads if interpreters is None else interpreters,
        runtime_threads=settings.engine.runtime_threads,
        limits=image_limits(settings.images),
        cache_bytes=settings.engine.cache_bytes,
        cache_seconds=settings.engine.cache_seconds,
    )
