"""The schema of this release in an empty SQLite database, copied from one that the migrations made once per process."""

from __future__ import annotations

import sqlite3
from functools import cache

from facefleet.tasks.tables import schema
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.upgrade import upgrade


def bring_to_schema(database: Database) -> None:
    """As ``upgrade`` leaves it, and no change where it is there already.

    PostgreSQL gets it from ``PostgresServer.new_records``, and else by the migrations.
    """
    if database.engine.dialect.name != "sqlite":
        with database.read() as reading:
            there = schema.version(reading) == schema.HEAD
        if not there:
            upgrade(database)
        return
    connection = database.engine.raw_connection()
    try:
        inside = connection.driver_connection
        assert isinstance(inside, sqlite3.Connection)
        if inside.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():  # it is there, and records may be in it
            return
        journal = inside.execute("PRAGMA journal_mode").fetchone()[0]
        _template().backup(inside)
        inside.execute(f"PRAGMA journal_mode={journal}")
    finally:
        connection.close()


@cache
def _template() -> sqlite3.Connection:
    database = Database("sqlite://")
    upgrade(database)
    made = sqlite3.connect(":memory:", check_same_thread=False)
    connection = database.engine.raw_connection()
    assert isinstance(connection.driver_connection, sqlite3.Connection)
    connection.driver_connection.backup(made)
    connection.close()
    database.close()
    return made
