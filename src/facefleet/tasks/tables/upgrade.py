"""Upgrades the schema with Alembic; separate from ``schema.py`` because no running program needs it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from facefleet.tasks.tables import schema
from facefleet.tasks.tables.database import Database


def upgrade(database: Database) -> None:
    """Bring the schema to this release's version; a no-op when it is there, or newer. Safe to run twice at once."""
    config = configuration()
    with database.exclusive() as connection:
        if (schema.version(connection) or "") > schema.HEAD:
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def configuration() -> Config:
    """The configuration of Alembic, with our migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
