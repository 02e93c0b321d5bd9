"""Implements ``facefleet audit list``, which shows who did what at a server."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Annotated

import typer

from facefleet.cli import output
from facefleet.cli.options import JsonOption
from facefleet.cli.remote import server


def list_entries(
    actor: Annotated[str | None, typer.Option(metavar="SUBJECT", help="Only what it asked for.")] = None,
    action: Annotated[str | None, typer.Option(metavar="ACTION", help="Only this, such as result.read.")] = None,
    object_id: Annotated[str | None, typer.Option("--object", metavar="ID", help="Only what was done to it.")] = None,
    after: Annotated[datetime | None, typer.Option(metavar="TIME", help="Since then; local time.")] = None,
    before: Annotated[datetime | None, typer.Option(metavar="TIME", help="Before that; local time.")] = None,
    tenant: Annotated[str | None, typer.Option(metavar="TENANT", help="About its objects; for operators.")] = None,
    every_tenant: Annotated[
        bool, typer.Option("--every-tenant", help="About everybody's objects; for operators.")
    ] = False,
    limit: server.LimitOption = 20,
    url: server.UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who did what at a server, the newest first."""
    after, before = (time.astimezone() if time is not None else None for time in (after, before))
    with server.open_client(url) as client:
        found = client.audit(
            actor=actor, action=action, object=object_id, after=after, before=before, tenant=tenant,
            every_tenant=every_tenant,
        )  # fmt: skip
        entries = list(islice(found, limit))
    if as_json:
        output.document({"entries": [entry.raw for entry in entries]})
        return
    from rich.table import Table

    table = Table("time", "actor", "address", "action", "object", "", box=None)
    for entry in entries:
        refused = entry.code or entry.outcome if entry.outcome != "ok" else ""
        row = output.local_time(entry.at), entry.actor, entry.address or "", entry.action, entry.object or "", refused
        table.add_row(*map(output.visible, row))
    output.console().print(table)
