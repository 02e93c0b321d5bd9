"""Looks at the database of the records: whether it answers, its version, its schema, and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

from sqlalchemy import Connection, text

from facefleet.config import Settings
from facefleet.doctor.address import compare_clock, shown
from facefleet.doctor.contract import Demand
from facefleet.doctor.demands import demand
from facefleet.doctor.report import Finding, State
from facefleet.errors.outage import RecordsUnavailable
from facefleet.tasks.tables import schema
from facefleet.tasks.tables.database import Database, file_of

_MIGRATE = "Run `facefleet migrate`, before this release's programs start."
_VERSION = {"postgresql": "SHOW server_version", "sqlite": "SELECT sqlite_version()"}
_CLOCK = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
}
_NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def look(settings: Settings, wanted: Demand | None, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """The records of the settings; a file that is not there yet is skipped, and not made.

    Args:
        settings: Address.
        wanted: By the contract; none: it asks for nothing.
        now: s since the epoch of Unix.
    """
    for finding in _findings(settings, now):
        yield demand(finding, "servers.records", wanted)


def _findings(settings: Settings, now: Callable[[], float]) -> Iterator[Finding]:
    file = file_of(settings.records_url)
    if file is not None and not file.exists():
        advice = "Run `facefleet migrate`, or set FACEFLEET_RECORDS__URL."
        yield Finding("records", State.SKIPPED, f"{file} is not there yet; `facefleet up` makes it", advice)
        return
    with closing(Database(settings.records_url)) as database:
        with database.read() as connection:
            product, theirs = _facts(connection)
        yield Finding("records", State.OK, f"{product} at {file or shown(settings.records_url)}")
        yield schema_of(database)
        yield compare_clock("records.clock", theirs, now())


def _facts(connection: Connection) -> tuple[str, float]:
    """Name and version of the database, and its clock."""
    name = connection.dialect.name
    version = connection.execute(text(_VERSION[name])).scalar_one()
    return f"{_NAMES[name]} {version}", float(connection.execute(text(_CLOCK[name])).scalar_one())


def schema_of(database: Database) -> Finding:
    """Whether the schema has what this release needs, as a program asks when it starts."""
    try:
        schema.require_current(database)
    except RecordsUnavailable as error:
        if "wanted" not in error.detail:  # the database is away
            raise
        return Finding("records.schema", State.BROKEN, error.message, _MIGRATE)
    with database.read() as connection:
        found = schema.version(connection)
    return Finding("records.schema", State.OK, f"schema {found}, and this release needs {schema.HEAD}")
