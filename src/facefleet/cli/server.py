"""What the commands share that talk to a server: its address, a client of it, a task followed on a terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import output, start
from facefleet.errors import OptionInvalid

if TYPE_CHECKING:
    from facefleet.client import Client, Task, TaskView
    from facefleet.config import Settings

UrlOption = Annotated[str | None, typer.Option(help="Of the gateway; default: the setting client.url.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait at most.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Of the task.", show_default=False)]
IdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Of the tasks.", show_default=False)]

WAIT_SECONDS = 300.0


@contextmanager
def opened(url: str | None) -> Iterator[Client]:
    """A client of the server that the command line or the settings name."""
    with client_of(start.settings(client={"url": url})) as client:
        yield client


def client_of(settings: Settings) -> Client:
    """A client of the server that the settings name."""
    from facefleet.client import Client

    return Client(settings.client.url, settings.client.api_key.get_secret_value() or None)


def check_timeout(timeout: float) -> None:
    """Refuse what is no time to wait.

    Raises:
        OptionInvalid: It is none.
    """
    if not 0 < timeout < math.inf:  # nan is neither
        raise OptionInvalid(f"--timeout must be a number of seconds above 0; it is {timeout:g}.", option="timeout")


def wait(task: Task, timeout: float) -> Task:
    """The task when it has succeeded; on a terminal one sees how far it is, and Ctrl-C says how to go on.

    Raises:
        WaitTimeout: It has not ended in time.
        FacefleetError: It failed.
    """
    try:
        with _bar() as show:
            return task.wait(timeout, show)
    except KeyboardInterrupt:
        words = f"The task goes on: facefleet wait {task.id}"
        output.console(stderr=True).print(words, soft_wrap=True)
        raise


def words_of(view: TaskView) -> str:
    """How a task stands, for a person."""
    if view.error is not None and view.ended:
        return f"{view.status}: {view.error.message} [{view.error.code}]"
    if view.status == "queued" and view.position is not None:
        return f"queued, {view.position} before it"
    return f"{view.status}, {view.step}" if view.step else view.status


@contextmanager
def _bar() -> Iterator[Callable[[TaskView], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=output.console(stderr=True), transient=True) as bars:
        bar = bars.add_task("submitted", total=1.0)
        yield lambda view: bars.update(bar, completed=view.progress, description=output.visible(words_of(view)))
