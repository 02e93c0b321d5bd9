"""Reads the settings and sets up logging to stderr, which every command does first; loads programs quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from facefleet.errors.input import ConfigInvalid

if TYPE_CHECKING:
    from facefleet.config import Settings


def settings(log_level: str = "warning", **overrides: object) -> Settings:
    """The effective settings, with logging set up by them.

    Args:
        log_level: Where no level is set; a command for a person is quiet, a program is not.
        overrides: Flags of the command line, by setting or section; None where not given.

    Raises:
        ConfigInvalid: A setting cannot be used.
    """
    from facefleet import config
    from facefleet.observability import logs

    loaded = config.load(**_given(overrides))
    level = loaded.logs.level if "level" in loaded.logs.model_fields_set else log_level
    logs.configure(level, loaded.logs.format)
    return loaded


def _given(overrides: Mapping[str, object]) -> dict[str, object]:
    nested = {name: _given(value) if isinstance(value, dict) else value for name, value in overrides.items()}
    return {name: value for name, value in nested.items() if value is not None and value != {}}


@contextmanager
def loading() -> Iterator[None]:
    """Import a program without collecting garbage: what is made meanwhile stays until the end.

    That is a tenth of the start, and no later collection looks through all these modules again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def debugging() -> bool:
    """Whether the log level is ``debug``; logging is then set up."""
    try:
        return settings().logs.level == "debug"
    except ConfigInvalid:
        return False
