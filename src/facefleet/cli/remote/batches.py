"""Implements ``facefleet batches``, which shows, awaits, cancels and erases the caller's batches at a server."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet import files
from facefleet.cli import output
from facefleet.cli.options import Force, JsonOption
from facefleet.cli.remote import server
from facefleet.cli.remote.several import change_each

if TYPE_CHECKING:
    from facefleet.cli.remote.batch_results import ItemResult
    from facefleet.client import Batch

app = typer.Typer(help="Look at batches, wait for them, end them, have them erased.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Of the batch.", show_default=False)]
IdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Of the batches.", show_default=False)]
OutOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="ZIP file, or folder, for what has succeeded."),
]


@app.command("list")
def list_batches(limit: server.LimitOption = 20, url: server.UrlOption = None, as_json: JsonOption = False) -> None:
    """List your batches, the newest first."""
    with server.open_client(url) as client:
        views = [batch.view for batch in islice(client.batches(), limit)]
    if as_json:
        output.document({"batches": [view.raw for view in views]})
        return
    from rich.table import Table

    table = Table("batch", "created", "items", "", box=None)
    for view in views:
        created, words = output.local_time(view.created_at), server.describe_batch(view)
        table.add_row(*map(output.visible, (view.batch_id, created, str(view.total), words)))
    output.console().print(table)


@app.command("show")
def show(
    batch_id: IdArgument,
    out: OutOption = None,
    url: server.UrlOption = None,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Show how a batch stands, without waiting."""
    _check(out, force=force)
    with server.open_client(url) as client:
        batch = client.get_batch(batch_id)
        results = _save(batch, out, force=force)
    if as_json:
        output.document(_document(batch, results))
        return
    output.fields(batch.view.raw)


@app.command("wait")
def wait(
    batch_id: IdArgument,
    out: OutOption = None,
    url: server.UrlOption = None,
    timeout: server.TimeoutOption = server.BATCH_SECONDS,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Wait until every item of a batch has ended; items that failed are counted, no error.

    Into a folder it goes on where `facefleet batch -o` was stopped: pictures that are there already stay.
    """
    server.check_timeout(timeout)
    _check(out, force=force)
    go_on = server.resume_command("batches wait", batch_id, url, out, force=force)
    with server.open_client(url) as client, server.resumable("batch", batch_id, go_on):
        batch = server.wait_for_batch(client.get_batch(batch_id), timeout)
        results = _save(batch, out, force=force)
    if as_json:
        output.document(_document(batch, results))
    else:
        _print(batch, out, results)
    if any(one.output is None for one in results or ()):
        raise typer.Exit(1)


@app.command("cancel")
def cancel(batch_ids: IdsArgument, url: server.UrlOption = None, as_json: JsonOption = False) -> None:
    """End every item of batches that has not ended."""
    with server.open_client(url) as client:
        change_each(
            batch_ids, lambda batch_id: client.get_batch(batch_id).cancel(), row=lambda batch: batch.view.raw,
            words=lambda batch: f"{batch.id} is {batch.status}", as_json=as_json, one="batch", many="batches",
        )  # fmt: skip


@app.command("erase")
def erase(batch_ids: IdsArgument, url: server.UrlOption = None, as_json: JsonOption = False) -> None:
    """Have a server delete the photos and results of batches now, whether they have ended or not."""
    with server.open_client(url) as client:
        change_each(
            batch_ids, lambda batch_id: client.get_batch(batch_id).erase(), row=lambda receipt: receipt.raw,
            words=lambda receipt: f"{receipt.batch_id} is {receipt.status}", as_json=as_json,
            one="batch", many="batches",
        )  # fmt: skip


def _check(out: Path | None, *, force: bool) -> None:
    if out is not None and not out.is_dir():
        files.check_output(out, overwrite=force)


def _save(batch: Batch, out: Path | None, *, force: bool) -> list[ItemResult] | None:
    """Save the results; the items' outcomes where each is a file of its own, None for a ZIP file."""
    if out is None:
        return None
    if not out.is_dir():
        batch.save_results(out, overwrite=force)
        return None
    from facefleet.cli.remote.batch_results import save_remaining

    return save_remaining(batch, out, overwrite=force)


def _print(batch: Batch, out: Path | None, results: list[ItemResult] | None) -> None:
    if out is not None and results is not None:
        from facefleet.cli.remote.batch_results import print_outcome

        print_outcome(out, batch, results, lambda one: f"item {one.item}")
        return
    where = f" ({out})" if out is not None else ""
    line = f"{batch.id} {server.describe_batch(batch.view)}{where}"
    output.console().print(output.visible(line), soft_wrap=True)


def _document(batch: Batch, results: list[ItemResult] | None) -> dict[str, object]:
    return (
        dict(batch.view.raw) if results is None else dict(batch.view.raw) | {"items": [one.document for one in results]}
    )
