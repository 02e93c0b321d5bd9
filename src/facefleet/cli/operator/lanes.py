"""Implements ``facefleet lanes``, which shows what waits in each lane and pauses or resumes lanes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import output
from facefleet.cli.operator.records import DataOption, ReasonOption, format_seconds, open_control, origin
from facefleet.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facefleet.upkeep.operations import LaneStatus

app = typer.Typer(help="Look at the lanes, pause them, serve them again.")

LaneArgument = Annotated[str, typer.Argument(metavar="LANE", help="interactive, standard or bulk.", show_default=False)]


@app.command("status")
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show how much waits and runs in each lane, for how long, and which are paused."""
    with open_control(data) as control:
        _print(control.lanes(), as_json=as_json)


@app.command("pause")
def pause(lane: LaneArgument, reason: ReasonOption = "", data: DataOption = None, as_json: JsonOption = False) -> None:
    """Let workers take nothing more from a lane. What runs goes on; new work is accepted and waits."""
    with open_control(data) as control:
        control.pause(lane, origin(), reason=reason)
        _print(control.lanes(), as_json=as_json)


@app.command("resume")
def resume(lane: LaneArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Let workers take from a lane again."""
    with open_control(data) as control:
        control.resume(lane, origin())
        _print(control.lanes(), as_json=as_json)


def _print(lanes: Sequence[LaneStatus], *, as_json: bool) -> None:
    if as_json:
        output.document({"lanes": [asdict(lane) for lane in lanes]})
        return
    from rich.table import Table

    table = Table("lane", "queued", "oldest", "running", "", box=None)
    for lane in lanes:
        paused = f"paused since {lane.paused_since:%Y-%m-%d %H:%M} UTC" if lane.paused_since else ""
        words = ": ".join(filter(None, (paused, output.visible(lane.reason))))
        table.add_row(
            f"{lane.track}.{lane.lane}", f"{lane.queued:,}", format_seconds(lane.oldest_seconds) if lane.queued else "",
            f"{lane.running:,}", words,
        )  # fmt: skip
    output.console().print(table)
