"""Implements ``facefleet maintenance``, which has the gateways refuse new work, or take it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from facefleet.cli import output
from facefleet.cli.operator.records import DataOption, ReasonOption, open_control, origin
from facefleet.cli.options import JsonOption

if TYPE_CHECKING:
    from facefleet.tasks.switches import Switch

app = typer.Typer(help="Take no new work for a while; what was accepted goes on.")


@app.command("on")
def on(reason: ReasonOption = "", data: DataOption = None, as_json: JsonOption = False) -> None:
    """Answer new work with 503 `maintenance`; within a second every gateway does."""
    with open_control(data) as control:
        control.begin_maintenance(origin(), reason)
        _print(control.maintenance(), as_json=as_json)


@app.command("off")
def off(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Take new work again."""
    with open_control(data) as control:
        control.end_maintenance(origin())
        _print(control.maintenance(), as_json=as_json)


@app.command("status")
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show whether new work is taken."""
    with open_control(data) as control:
        _print(control.maintenance(), as_json=as_json)


def _print(closed: Switch | None, *, as_json: bool) -> None:
    if as_json:
        since, reason = (closed.since, closed.reason) if closed else (None, "")
        output.document({"maintenance": closed is not None, "since": since, "reason": reason})
    elif closed is None:
        output.console().print("off: new work is taken")
    else:
        reason = f": {output.visible(closed.reason)}" if closed.reason else ""
        output.console().print(f"on since {closed.since:%Y-%m-%d %H:%M} UTC{reason}", soft_wrap=True)
