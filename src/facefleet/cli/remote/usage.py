"""Implements ``facefleet usage``, which shows what the caller has used of a server, day by day."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from facefleet.cli import output
from facefleet.cli.options import JsonOption
from facefleet.cli.remote import server

_DAY = ["%Y-%m-%d"]


def usage(
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=_DAY, metavar="DAY", help="YYYY-MM-DD, UTC; default: 30 days up to the last."),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=_DAY, metavar="DAY", help="YYYY-MM-DD, UTC; default: today.")
    ] = None,
    url: server.UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what you have used of a server, by day and kind."""
    with server.open_client(url) as client:
        total = client.usage(first.date() if first else None, last.date() if last else None)
    if as_json:
        output.document(total.raw)
        return
    from rich.table import Table

    names = "tasks", "succeeded", "failed", "canceled", "bytes in", "bytes out", "seconds"
    table = Table("day", "kind", box=None)
    for name in names:
        table.add_column(name, justify="right")
    for day in total.days:
        counts = day.tasks, day.succeeded, day.failed, day.canceled, day.bytes_in, day.bytes_out
        table.add_row(str(day.date), output.visible(day.kind), *(f"{n:,}" for n in counts), f"{day.seconds:,.1f}")
    output.console().print(table)
