"""Implements ``facefleet submit``: a server fuses two photos."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facefleet import files
from facefleet.assignments import check_sources
from facefleet.cli import output, start
from facefleet.cli.options import ConsentReference, Force, FusionFlags, Guardian, JsonOption, OwnPhoto, fusion_flags
from facefleet.cli.remote import server
from facefleet.errors.input import RequestError
from facefleet.media.limits import image_limits

if TYPE_CHECKING:
    from facefleet.client import Task


@fusion_flags()
def submit(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Whose face to take.", show_default=False)],
    target: Annotated[
        Path | None, typer.Argument(metavar="TARGET", help="Where to put it.", show_default=False)
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="ID", help="A registered target, instead of TARGET.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Wait, and write this file, of TARGET's type."),
    ] = None,
    url: server.UrlOption = None,
    *,
    fusion: FusionFlags,
    consent_reference: ConsentReference = None,
    own_photo: OwnPhoto = False,
    guardian: Guardian = False,
    timeout: server.TimeoutOption = server.WAIT_SECONDS,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Have a server fuse the face of SOURCE into TARGET, or into a registered target.

    By submitting you attest that the people shown in all photos agree; the server keeps that attestation.
    """
    server.check_timeout(timeout)
    if (target is None) == (template is None):
        raise RequestError("Give one of TARGET and --template.")
    check_sources(fusion.choices["faces"], 1 + len(fusion.more_sources))
    settings = start.settings(client={"url": url})
    limits = image_limits(settings.images)
    sources = [output.typed_photo(path, limits)[0] for path in (source, *fusion.more_sources)]
    photo, media_type = output.typed_photo(target, limits) if target is not None else (None, None)
    consent = server.consent(consent_reference, own_photo=own_photo, guardian=guardian)
    began = time.monotonic()
    with server.client_of(settings) as client:
        if out is not None:  # before anything is sent
            promised = media_type.result if media_type else server.template_type(client, template or "")
            output.check_extension(out, promised)
            files.check_output(out, overwrite=force)
        task = client.fuse(
            sources[0], photo, template=template, consent=consent, more_sources=sources[1:], **fusion.choices,
        )  # fmt: skip
        if out is not None:
            with server.resumable("task", task.id, server.resume_command("wait", task.id, url, out, force=force)):
                server.save(server.wait(task, timeout), out, overwrite=force)
    _print(out, task, time.monotonic() - began, as_json=as_json)


def _print(out: Path | None, task: Task, seconds: float, *, as_json: bool) -> None:
    view = task.view
    if as_json:
        document: dict[str, Any] = {"task_id": task.id, "status": task.status}
        if out is not None:
            document = {"output": str(out)} | document | {"timings_ms": view.timings_ms, "models": view.models}
        output.document(document | {"seconds": round(seconds, 3)})
        return
    if out is None:
        output.console().print(task.id)
        return
    output.console().print(f"{output.visible(str(out))}: done in {seconds:.2f} s (task {task.id})", soft_wrap=True)
