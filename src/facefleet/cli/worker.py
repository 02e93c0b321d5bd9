"""``facefleet worker``: the worker program alone."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from facefleet.cli import start


def worker(
    threads: Annotated[int | None, typer.Option(min=1, help="Tasks at once in this process.")] = None,
) -> None:
    """Run a worker. Records, objects and queue come from the settings; run `facefleet migrate` first."""
    from facefleet.cli.supervisor import PRIVATE
    from facefleet.worker.main import run

    os.umask(PRIVATE)
    raise typer.Exit(run(start.settings(worker={"threads": threads}, log_level="info")))
