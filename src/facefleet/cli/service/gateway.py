"""Implements ``facefleet gateway``, which runs the HTTP program alone."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from facefleet.cli import start


def gateway(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes any free one.")] = None,
) -> None:
    """Run the gateway. Records, objects and queue come from the settings; run `facefleet migrate` first."""
    with start.loading():
        from facefleet.gateway.app import run
        from facefleet.launcher.supervisor import PRIVATE

    os.umask(PRIVATE)
    raise typer.Exit(run(start.settings(gateway={"host": host, "port": port}, log_level="info")))
