"""The version of the schema: bring it up to date, or refuse to work on another one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from facefleet.errors import RecordsUnavailable
from facefleet.tasks.database import Database


def upgrade(database: Database) -> None:
    """Bring the schema to this release's version; a no-op when it is there. Safe to run twice at once."""
    config = _config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require_current(database: Database) -> None:
    """Check that the schema is this release's.

    Raises:
        RecordsUnavailable: It is older or newer; ``facefleet migrate`` mends the first.
    """
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    with database.read() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != wanted:
        raise RecordsUnavailable(
            f"The records' schema is {found or 'empty'} and this release needs {wanted}; run `facefleet migrate`.",
            found=found, wanted=wanted,
        )  # fmt: skip


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
