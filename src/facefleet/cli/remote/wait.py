"""Implements ``facefleet wait`` and ``facefleet events``, which follow a task at a server to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facefleet import files
from facefleet.cli import output
from facefleet.cli.options import Force, JsonOption
from facefleet.cli.remote import server


def wait(
    task_id: server.IdArgument,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write the result to this file.")
    ] = None,
    url: server.UrlOption = None,
    timeout: server.TimeoutOption = server.WAIT_SECONDS,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Wait until a task has succeeded; a task that failed is an error with its code."""
    server.check_timeout(timeout)
    if out is not None:
        files.check_output(out, overwrite=force)
    go_on = server.resume_command("wait", task_id, url, out, force=force)
    with server.open_client(url) as client, server.resumable("task", task_id, go_on):
        task = server.wait(client.task(task_id), timeout)
        if out is not None:
            server.save(task, out, overwrite=force)
    if as_json:
        output.document(task.view.raw)
        return
    where = f": {output.visible(str(out))}" if out is not None else ""
    output.console().print(f"{task.id} {task.status}{where}", soft_wrap=True)


def events(task_id: server.IdArgument, url: server.UrlOption = None, as_json: JsonOption = False) -> None:
    """Tell what happens to a task, as it happens, until it ends."""
    documents = []
    go_on = server.resume_command("events", task_id, url)
    with server.open_client(url) as client, server.resumable("task", task_id, go_on):
        for event in client.task(task_id).events():
            if as_json:
                documents.append({"id": event.id, "event": event.name, "task": event.task.raw})
            else:
                line = f"{event.id:>4}  {event.task.progress:>4.0%}  {server.describe_task(event.task)}"
                output.console().print(output.visible(line), soft_wrap=True)
    if as_json:
        output.document({"events": documents})
