"""What every command does first: read the settings, send logs to stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facefleet.errors import ConfigInvalid

if TYPE_CHECKING:
    from facefleet.config import Settings


def settings() -> Settings:
    """The effective settings, with logging set up by them.

    A command is quiet unless asked: only warnings are logged where no level is set.

    Raises:
        ConfigInvalid: A setting cannot be used.
    """
    from facefleet import config
    from facefleet.observability import logs

    found = config.load()
    level = found.logs.level if "level" in found.logs.model_fields_set else "warning"
    logs.configure(level, found.logs.format)
    return found


def debugging() -> bool:
    """Whether the log level is ``debug``; logging is then set up."""
    try:
        return settings().logs.level == "debug"
    except ConfigInvalid:
        return False
