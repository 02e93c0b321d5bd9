"""One warmed engine for all tests, and photos by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.types import ModelFiles, Pixels

Photo = Callable[[str], bytes]


@pytest.fixture(scope="session")
def engine(models: Mapping[str, ModelFiles]) -> Engine:
    engine = build_engine(models, interpreters=2)
    engine.warm()
    return engine


@pytest.fixture(scope="session")
def photo(samples: Mapping[str, Path]) -> Photo:
    """The file of a sample photo."""
    return lambda name: samples[name].read_bytes()


@pytest.fixture(scope="session")
def astronaut(photo: Photo) -> Pixels:
    return decode(photo("astronaut")).pixels
