"""Checks the version of the schema: a program works with its own version and newer ones, since migrations only add.

So the schema is upgraded first (``tasks/tables/upgrade.py``), then the programs one by one.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from facefleet.errors.outage import RecordsUnavailable
from facefleet.tasks.tables.database import Database

HEAD = "0012"  # the newest migration; a test holds it against the migrations
VERSION_TABLE = "alembic_version"


def require_current(database: Database) -> None:
    """Check that the schema has what this release needs; cheap enough for a readiness probe.

    Raises:
        RecordsUnavailable: The schema is older, or there is none; ``facefleet migrate`` upgrades it.
    """
    with database.read() as connection:
        current = version(connection)
    if current is None or current < HEAD:
        raise RecordsUnavailable(
            f"The records' schema is {current or 'empty'} and this release needs {HEAD}; run `facefleet migrate`.",
            found=current, wanted=HEAD,
        )  # fmt: skip


def version(connection: Connection) -> str | None:
    """The newest migration that was run; numbered, so that they sort. None: there is no schema."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    newest: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return newest
