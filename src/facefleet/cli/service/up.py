"""Implements ``facefleet up``, which runs the whole service on this machine until Ctrl-C."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from facefleet.cli import output, start


def up(
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of records, objects and queue; it survives.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Of the gateway; 0 takes any free one.")] = None,
) -> None:
    """Run the whole service here: queue, records, objects, a worker, a gateway. Ctrl-C stops it; nothing is lost."""
    from facefleet.launcher.embedded import Service

    began = time.monotonic()
    settings = start.settings(data=data, gateway={"port": port}, log_level="info")
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a closed terminal is a way to stop it, too
        signal.signal(number, lambda *_: stop.set())
    service = Service(settings, stop)
    console = output.console()
    try:
        addresses = service.start()
        if addresses is not None:
            console.print(f"facefleet is ready at {addresses.gateway} ({time.monotonic() - began:.1f} s)")
            console.print(f"metrics at {addresses.gateway}/metrics and {addresses.worker}/metrics; Ctrl-C stops")
            service.run()
    finally:
        service.close()
    console.print("facefleet has stopped")
