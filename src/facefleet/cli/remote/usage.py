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
    by_key: Annotated[bool, typer.Option("--by-key", help="By key or token, too.")] = False,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="What it has used; for operators.")] = None,
    every_tenant: Annotated[bool, typer.Option("--every-tenant", help="What each has used; for operators.")] = False,
    url: server.UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what you have used of a server, by day and kind."""
    with server.open_client(url) as client:
        total = client.usage(
            first.date() if first else None, last.date() if last else None,
            by_credential=by_key, tenant=tenant, every_tenant=every_tenant,
        )  # fmt: skip
    if as_json:
        output.document(total.raw)
        return
    from rich.table import Table

    names = "tasks", "succeeded", "failed", "canceled", "bytes in", "bytes out", "seconds"
    whose = ["tenant"] if every_tenant or tenant is not None else []
    whose += ["credential"] if by_key else []
    table = Table("day", *whose, "kind", box=None)
    for name in names:
        table.add_column(name, justify="right")
    for day in total.days:
        counts = day.tasks, day.succeeded, day.failed, day.canceled, day.bytes_in, day.bytes_out
        names_of = (output.visible(str(getattr(day, name) or "")) for name in whose)
        labels = str(day.date), *names_of, output.visible(day.kind)
        table.add_row(*labels, *(f"{n:,}" for n in counts), f"{day.seconds:,.1f}")
    output.console().print(table)
