"""Real weights and photos, fetched once into the user's cache, and real servers, started when a test asks for them."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import structlog
from tests.receiver import Receiver
from tests.servers import PostgresServer, SeaweedServer, ValkeyServer

from facefleet import config
from facefleet.engine.models.registry import Registry
from facefleet.engine.types import ModelFiles


def pytest_configure() -> None:
    """Without a handler `logging` prints warnings by itself, also those of threads that outlive their test."""
    gc.disable()  # until all is collected: a fifth of that time was for looking through what stays
    logging.getLogger().addHandler(logging.NullHandler())
    _log_to_pytest()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first: at the end of a parallel run the short ones fill the gaps."""
    items.sort(key=lambda item: "system" not in item.path.parts)


def pytest_collection_finish() -> None:
    """What is imported and collected stays until the end: no collection of garbage has to look through it again."""
    gc.collect()
    gc.freeze()
    gc.enable()


# Whoever starts the tests in the background of a script has Ctrl-C ignored, and every program that they start inherits
# that; a handler is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One for all tests that leave it alive; each has a key prefix of its own."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One for all tests that leave it alive; each has a database of its own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    """One for all tests that leave it alive; each has a prefix of its own."""
    with SeaweedServer(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Takes spans over OTLP; one for each test."""
    opened = Receiver()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def logging_put_back() -> Iterator[None]:
    """Logging is of the process; the next test gets it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: found.level for name, found in _loggers()}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, found in _loggers():
        found.setLevel(levels.get(name, logging.NOTSET))
    _log_to_pytest()
    structlog.contextvars.clear_contextvars()


def _loggers() -> list[tuple[str, logging.Logger]]:
    known = list(logging.root.manager.loggerDict.items())
    return [(name, found) for name, found in known if isinstance(found, logging.Logger)]


def _log_to_pytest() -> None:
    """Events become records of ``logging``: pytest shows them with a test that fails, and nobody else does."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
