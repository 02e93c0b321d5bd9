"""Real weights and real photos, fetched once into the user's cache and shared by every test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from facefleet import config
from facefleet.engine.models.registry import Registry
from facefleet.engine.types import ModelFiles


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The built-in manifest over the default cache."""
    return Registry(config.load().engine.cache)


@pytest.fixture(scope="session")
def models(registry: Registry) -> Mapping[str, ModelFiles]:
    """Every required model, checked."""
    return registry.pull()


@pytest.fixture(scope="session")
def samples(registry: Registry) -> Mapping[str, Path]:
    """Every sample photo by name."""
    return registry.samples()
