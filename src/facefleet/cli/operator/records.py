"""Opens the records for the operators' commands, which therefore work while every other part is away."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import start
from facefleet.clock import now
from facefleet.errors.input import ConfigInvalid

if TYPE_CHECKING:
    from facefleet.config import Settings
    from facefleet.tasks.audit import Origin
    from facefleet.tasks.tables.database import Database
    from facefleet.upkeep.operations import Control

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="As given to `facefleet up`; default: the settings.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="For whoever looks next.")]


@contextmanager
def open_control(data: Path | None) -> Iterator[Control]:
    """Open the records of the settings for an operator's changes; raises as ``open_database``."""
    from facefleet.upkeep.operations import Control

    with open_database(start.settings(data=data)) as database:
        yield Control(database, now)


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the records of the settings.

    Raises:
        ConfigInvalid: There are no records here.
        RecordsUnavailable: They do not answer, or are of another release.
    """
    from facefleet.tasks.tables import schema
    from facefleet.tasks.tables.database import Database, file_of

    file = file_of(settings.records_url)
    if file is not None and not file.exists():  # to open it would make it
        raise ConfigInvalid(
            f"There are no records at {file}; give --data, or set FACEFLEET_RECORDS__URL.", path=str(file)
        )
    database = Database(settings.records_url, busy_timeout=settings.records.busy_timeout)
    try:
        schema.require_current(database)
        yield database
    finally:
        database.close()


def origin() -> Origin:
    """Who is written down in the audit log: the user of this machine; it has no address."""
    from facefleet.tasks.audit import Origin

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        user = str(os.getuid())
    return Origin(f"cli:{user}")


def format_seconds(count: float) -> str:
    """A duration such as ``12 s``, ``3 min``, ``5 h`` or ``2 d``."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if count >= 2 * length:
            return f"{count / length:.0f} {unit}"
    return f"{count:.0f} s"
