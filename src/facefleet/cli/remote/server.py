"""Gives the commands that talk to a server a client, a progress bar, and messages that say how to go on."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet import files
from facefleet.cli import output, start
from facefleet.errors.client import Interrupted
from facefleet.errors.input import FileError, OptionInvalid
from facefleet.errors.outage import OutageError
from facefleet.media.sniff import ImageType, sniff

if TYPE_CHECKING:
    from facefleet.client import Batch, BatchView, Client, Consent, Task, TaskView
    from facefleet.config import Settings

UrlOption = Annotated[str | None, typer.Option(help="Of the gateway; default: the setting client.url.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait at most.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Of the task.", show_default=False)]
IdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Of the tasks.", show_default=False)]

LimitOption = Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")]

ShowProgress = Callable[[float, str], None]
"""Shows progress from 0 to 1, and a description."""

WAIT_SECONDS = 300.0
BATCH_SECONDS = 3600.0


@contextmanager
def open_client(url: str | None) -> Iterator[Client]:
    """A client of the server that the command line or the settings name."""
    with client_of(start.settings(client={"url": url})) as client:
        yield client


@contextmanager
def client_of(settings: Settings) -> Iterator[Client]:
    """A client of the server that the settings name.

    Raises:
        ConfigInvalid: The certificate authority cannot be used.
    """
    import httpx

    from facefleet.client import Client, Patience
    from facefleet.trust import trust_of

    client, patience = settings.client, Patience(on_limit=_tell_of_limit)
    key = client.api_key.get_secret_value() or None
    verify = trust_of(client.ca_file, "client.ca_file") if client.ca_file else True
    with (
        httpx.Client(verify=verify) as http,
        Client(client.url, key, patience=patience, http=http, upload_from=client.upload_from or None) as made,
    ):
        yield made


def _tell_of_limit(seconds: float) -> None:
    output.console(stderr=True).print(f"The server was asked too often; going on in {seconds:.0f} s.", soft_wrap=True)


def consent(reference: str | None, *, own_photo: bool = False, guardian: bool = False) -> Consent:
    """What whoever runs a command attests: that the people shown agree, and what its flags say of that."""
    from facefleet.client import Consent

    return Consent(reference=reference, own_photo=own_photo, guardian=guardian)


def template_type(client: Client, template_id: str) -> ImageType:
    """The type of what is fused into a registered target.

    Raises:
        TemplateNotFound: There is none.
    """
    return ImageType(client.template(template_id).view.media_type).result


def check_timeout(timeout: float) -> None:
    """Refuse a timeout that is not positive and finite.

    Raises:
        OptionInvalid: It is not.
    """
    if not 0 < timeout < math.inf:  # nan is neither
        raise OptionInvalid(f"--timeout must be a number of seconds above 0; it is {timeout:g}.", option="timeout")


def save(task: Task, out: Path, *, overwrite: bool) -> None:
    """Write a result to a file.

    Raises:
        OptionInvalid: The file's extension is of another type; nothing is written.
        FacefleetError: There is no result, or the file cannot be written.
    """
    image = task.image()
    output.check_extension(out, sniff(image).type)
    files.write_file(out, image, overwrite=overwrite)


def wait(task: Task, timeout: float) -> Task:
    """Wait until a task has succeeded, with a progress bar on a terminal.

    Raises:
        WaitTimeout: It has not ended in time.
        FacefleetError: It failed.
    """
    with _bar() as show:
        return task.wait(timeout, lambda view: show(view.progress, describe_task(view)))


def wait_for_batch(batch: Batch, timeout: float) -> Batch:
    """Wait until all items of a batch have ended, with a progress bar on a terminal.

    Raises:
        WaitTimeout: They have not ended in time.
    """
    with _bar() as show:
        return batch.wait(timeout, lambda view: show(view.done / max(1, view.total), describe_batch(view)))


@contextmanager
def resumable(kind: str, given_id: str, go_on: str) -> Iterator[None]:
    """Add the id and the command to go on to errors in the block, since the work goes on at the server.

    Args:
        kind: ``task``, ``template`` or ``batch``.
        given_id: Of the task, template or batch.
        go_on: The command.

    Raises:
        Interrupted: Ctrl-C was pressed.
        FacefleetError: The server is away, the time is over or the file cannot be written.
    """
    facts = {f"{kind}_id": given_id, "command": go_on}
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"The {kind} goes on: {go_on}", **facts) from None
    except (OutageError, FileError) as error:
        error.message = f"{error.message} To go on: {go_on}"
        error.detail |= facts
        raise


def describe_task(view: TaskView) -> str:
    """The state of a task in words."""
    if view.error is not None and view.ended:
        return f"{view.status}: {view.error.message} [{view.error.code}]"
    if view.status == "queued" and view.position is not None:
        return f"queued, {view.position} before it"
    return f"{view.status}, {view.step}" if view.step else view.status


def describe_batch(view: BatchView) -> str:
    """The state of a batch in words."""
    counts = ", ".join(f"{count} {state}" for state, count in view.counts.items() if count)
    return f"{view.status}: {counts}" if counts else view.status


def resume_command(name: str, given_id: str, url: str | None, out: Path | None = None, *, force: bool = False) -> str:
    """The command line that goes on with something.

    Args:
        name: Of the command.
        given_id: Its argument.
        url: Of the server, where one was given.
        out: File or folder to write.
        force: Whether existing files may be written over.
    """
    words = ["facefleet", *name.split(), given_id]
    words += ["-o", str(out)] if out is not None else []
    words += ["--force"] if force else []
    words += ["--url", url] if url is not None else []
    return shlex.join(words)


@contextmanager
def _bar() -> Iterator[ShowProgress]:
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=output.console(stderr=True), transient=True) as bars:
        bar = bars.add_task("submitted", total=1.0)
        yield lambda done, words: bars.update(bar, completed=done, description=output.visible(words))
