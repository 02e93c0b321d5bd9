"""Implements ``facefleet worker``, which runs the worker program alone."""

from __future__ import annotations

import os
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import start

if TYPE_CHECKING:
    from facefleet.config import Settings


def worker(
    processes: Annotated[int | None, typer.Option(min=0, help="Supervised side by side; 0: one per core.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Tasks at once in each process.")] = None,
) -> None:
    """Run a worker. Records, objects and queue come from the settings; run `facefleet migrate` first."""
    from facefleet.launcher.supervisor import PRIVATE, process_count

    os.umask(PRIVATE)
    settings = start.settings(worker={"processes": processes, "threads": threads}, log_level="info")
    if process_count(settings.worker.processes) > 1:
        _supervise(settings)
        return
    with start.loading():
        from facefleet.worker.main import run

    raise typer.Exit(run(settings))


def _supervise(settings: Settings) -> None:
    from facefleet.launcher.supervisor import stop_on_signals
    from facefleet.launcher.workers import Workers

    stop = Event()
    workers = Workers(settings, stop)
    stop_on_signals(stop, workers.hurry)
    workers.run()
