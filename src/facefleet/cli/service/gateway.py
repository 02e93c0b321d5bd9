"""Implements ``facefleet gateway``, which runs the HTTP program alone, in one process or several."""

from __future__ import annotations

import os
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import start

if TYPE_CHECKING:
    from facefleet.config import Settings


def gateway(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes any free one.")] = None,
    processes: Annotated[int | None, typer.Option(min=0, help="That share the address; 0: one per core.")] = None,
    listeners: Annotated[
        list[int] | None, typer.Option(hidden=True, help="Sockets that the supervising gateway opened.")
    ] = None,
) -> None:
    """Run the gateway. Records, objects and queue come from the settings; run `facefleet migrate` first."""
    from facefleet.launcher.supervisor import PRIVATE, process_count

    os.umask(PRIVATE)
    settings = start.settings(gateway={"host": host, "port": port, "processes": processes}, log_level="info")
    if process_count(settings.gateway.processes) > 1 and not listeners:
        _supervise(settings)
        return
    with start.loading():
        from facefleet.gateway.app import run
        from facefleet.gateway.server import Listeners

    raise typer.Exit(run(settings, Listeners.inherited(listeners) if listeners else None))


def _supervise(settings: Settings) -> None:
    from facefleet.launcher.gateways import Gateways
    from facefleet.launcher.supervisor import stop_on_signals

    stop = Event()
    gateways = Gateways(settings, stop)
    stop_on_signals(stop, gateways.hurry)
    gateways.run()
