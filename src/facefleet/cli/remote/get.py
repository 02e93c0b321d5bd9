"""Implements ``facefleet get`` and ``facefleet list``, which show the caller's tasks at a server."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from facefleet import files
from facefleet.cli import output
from facefleet.cli.options import Force, JsonOption
from facefleet.cli.remote import server


def get(
    task_id: server.IdArgument,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write the result to this file.")
    ] = None,
    url: server.UrlOption = None,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Show how a task stands, without waiting."""
    if out is not None:
        files.check_output(out, overwrite=force)
    with server.open_client(url) as client:
        task = client.task(task_id)
        if out is not None:
            server.save(task, out, overwrite=force)
    if as_json:
        output.document(task.view.raw)
        return
    output.fields(task.view.raw)


def list_tasks(
    state: Annotated[str | None, typer.Option(metavar="STATE", help="Only these.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only these, such as fuse.")] = None,
    after: Annotated[datetime | None, typer.Option(metavar="TIME", help="Created after; local time.")] = None,
    before: Annotated[datetime | None, typer.Option(metavar="TIME", help="Created before; local time.")] = None,
    batch: Annotated[str | None, typer.Option(metavar="ID", help="Only its items, in their order.")] = None,
    limit: server.LimitOption = 20,
    url: server.UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """List your tasks at a server, the newest first."""
    after, before = (time.astimezone() if time is not None else None for time in (after, before))
    with server.open_client(url) as client:
        tasks = client.tasks(state=state, kind=kind, created_after=after, created_before=before, batch=batch)
        views = [task.view for task in islice(tasks, limit)]
    if as_json:
        output.document({"tasks": [view.raw for view in views]})
        return
    from rich.table import Table

    table = Table("task", "created", "kind", "", box=None)
    for view in views:
        created = output.local_time(view.created_at)
        table.add_row(*map(output.visible, (view.task_id, created, view.kind, server.describe_task(view))))
    output.console().print(table)
