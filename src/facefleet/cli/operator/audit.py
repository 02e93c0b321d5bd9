"""Implements ``facefleet audit``: reads the audit log of a server, and finds what was changed in it on the records."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import output, start
from facefleet.cli.operator.records import DataOption, open_database
from facefleet.cli.options import JsonOption
from facefleet.cli.remote.audit import list_entries

if TYPE_CHECKING:
    from facefleet.upkeep.verification import Verification

app = typer.Typer(help="Read the audit log, and find out whether it was changed.")


app.command("list")(list_entries)


def _is_hash(text: str | None) -> str | None:
    """A hash in hexadecimal digits: a slip of the pen must not look like a log that was cut off."""
    if text is not None and not re.fullmatch("[0-9a-f]{64}", text):
        raise typer.BadParameter("a seal's hash has 64 hexadecimal digits")
    return text


@app.command("verify")
def verify(
    seal: Annotated[
        str | None,
        typer.Option(
            "--seal",
            metavar="HASH",
            callback=_is_hash,
            help="Of an `audit.sealed` line in a gateway's log; it must be there.",
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find entries that were edited, removed, inserted or reordered; with --seal, also a log that was cut off."""
    from facefleet.clock import now
    from facefleet.tasks.seals import Seals
    from facefleet.upkeep.verification import verify

    with open_database(start.settings(data=data)) as database:
        found = verify(Seals(database, now), seal)
    if as_json:
        output.document({"valid": found.valid} | asdict(found))
    else:
        _print(found)
    if not found.valid:
        raise typer.Exit(1)


def _print(found: Verification) -> None:
    console = output.console()
    for finding in found.findings:
        console.print(f"{finding.fault:14} {output.visible(finding.message)}", style="red", soft_wrap=True)
    verdict = "valid" if found.valid else "NOT as it was sealed"
    console.print(
        f"{verdict}: {found.entries:,} entries in {found.seals:,} seals, {found.unsealed:,} not sealed yet",
        soft_wrap=True,
    )
    if found.expired_through:
        console.print(f"the entries of the first {found.expired_through:,} seals were removed by retention")
    if found.late:
        console.print(f"{len(found.late):,} entries are older than a seal that they missed: {found.late[0]} …")
    if found.head:
        console.print(f"last seal: {found.head}", soft_wrap=True)
