"""Looks at the models: the sha256 of every file that is there, and whether all run together on a blank photo."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np

from facefleet.config import Settings
from facefleet.doctor.contract import Models
from facefleet.doctor.paths import model_cache
from facefleet.doctor.report import Finding, State, hold
from facefleet.engine.models.cache import State as Cached
from facefleet.engine.models.registry import Registry
from facefleet.worker.runtime import build_engine

_PULL = "Run `facefleet models pull`."
_BLANK_SIDE = 256  # px


def look(settings: Settings, wanted: Models) -> Iterator[Finding]:
    """Digests, then a real inference where no model is missing or damaged. Nothing is fetched."""
    finding, complete = digests(settings)
    if wanted.digests:
        finding = hold(finding, "models.digests", "all required ones", kept=complete, advice=_PULL)
    yield finding
    if complete:
        yield Finding("model cache", State.OK, f"{settings.engine.cache}, nothing to be fetched")
        yield inference(settings)
    else:
        yield model_cache(settings)
        yield Finding("inference", State.SKIPPED, "the models are not complete")


def digests(settings: Settings) -> tuple[Finding, bool]:
    """The state of the models, and whether every required one is whole.

    A missing one is a warning: a worker fetches it when it starts.
    """
    registry = Registry(settings.engine.cache, settings.engine.manifest)
    required = {entry.name for entry in registry.entries() if entry.required}
    states = {(name, one.state) for name, checks in registry.verify().items() for one in checks}
    damaged = sorted({name for name, state in states if state is Cached.DAMAGED})
    missing = sorted({name for name, state in states if state is Cached.MISSING and name in required})
    if damaged:
        return Finding("models", State.BROKEN, f"damaged: {', '.join(damaged)}", _PULL), required.isdisjoint(damaged)
    if missing:
        return Finding("models", State.WARNING, f"not fetched: {', '.join(missing)}", _PULL), False
    whole = sorted({name for name, state in states if state is Cached.OK})
    return Finding("models", State.OK, f"{', '.join(whole)}: sha256 right"), True


def inference(settings: Settings) -> Finding:
    """Build and warm the engine as a worker does, and look for faces where there are none."""
    engine = build_engine(settings, interpreters=1)
    engine.warm()
    blank = cv2.imencode(".png", np.full((_BLANK_SIDE, _BLANK_SIDE, 3), 127, np.uint8))[1].tobytes()
    began = time.perf_counter()
    count = len(engine.faces(blank).faces)
    took = (time.perf_counter() - began) * 1000
    if count:
        return Finding("inference", State.BROKEN, f"{count} face(s) in a blank photo", "Run `facefleet models verify`.")
    return Finding("inference", State.OK, f"models run; a blank photo took {took:.0f} ms")
