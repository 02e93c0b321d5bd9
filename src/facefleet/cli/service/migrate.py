"""Implements ``facefleet migrate``, which brings the records' schema to this release."""

from __future__ import annotations

from facefleet.cli import output, start


def migrate() -> None:
    """Bring the records' schema to this release's version. Safe to repeat; run it before a new release starts."""
    from facefleet.tasks.tables.database import Database
    from facefleet.tasks.tables.upgrade import upgrade

    settings = start.settings()
    database = Database(settings.records_url, busy_timeout=settings.records.busy_timeout)
    try:
        upgrade(database)
    finally:
        database.close()
    output.console().print("The records' schema is up to date")
