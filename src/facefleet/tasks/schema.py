"""The version of the schema: every program refuses to work on another one. ``tasks/upgrade.py`` brings it there."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from facefleet.errors import RecordsUnavailable
from facefleet.tasks.database import Database

HEAD = "0002"  # the newest migration; a test holds it against the migrations
VERSION_TABLE = "alembic_version"


def require_current(database: Database) -> None:
    """Check that the schema is this release's; cheap enough for a readiness probe.

    Raises:
        RecordsUnavailable: It is older or newer; ``facefleet migrate`` mends the first.
    """
    with database.read() as connection:
        found = _version(connection)
    if found != HEAD:
        raise RecordsUnavailable(
            f"The records' schema is {found or 'empty'} and this release needs {HEAD}; run `facefleet migrate`.",
            found=found, wanted=HEAD,
        )  # fmt: skip


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return found
