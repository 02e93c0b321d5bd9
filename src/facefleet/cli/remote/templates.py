"""Implements ``facefleet templates``, which registers, shows and deletes targets at a server."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet import files
from facefleet.cli import output, start
from facefleet.cli.options import ConsentReference, Force, Guardian, JsonOption, OwnPhoto
from facefleet.cli.remote import server
from facefleet.cli.remote.several import change_each
from facefleet.errors.base import FacefleetError
from facefleet.media.limits import image_limits
from facefleet.media.sniff import ImageType

if TYPE_CHECKING:
    from facefleet.client import Template

app = typer.Typer(help="Register targets, wait for them, look at them, delete them.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Of the template.", show_default=False)]
IdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Of the templates.", show_default=False)]


@app.command("add")
def add(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="JPEG, PNG, WebP or AVIF.", show_default=False)],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="In your own words.")] = None,
    consent_reference: ConsentReference = None,
    own_photo: OwnPhoto = False,
    guardian: Guardian = False,
    url: server.UrlOption = None,
    timeout: server.TimeoutOption = server.WAIT_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Register a target, wait until it is ready, and print its id.

    By registering you attest that the people shown agree; the server keeps that attestation, and the photo until the
    template is deleted.
    """
    server.check_timeout(timeout)
    settings = start.settings(client={"url": url})
    limits = image_limits(settings.images)
    photo, _ = output.typed_photo(image, limits)
    consent = server.consent(consent_reference, own_photo=own_photo, guardian=guardian)
    with server.client_of(settings) as client:
        template = _ready(client.register(photo, consent=consent, name=name), timeout, url)
    _print(template, as_json=as_json)


@app.command("wait")
def wait(
    template_id: IdArgument,
    url: server.UrlOption = None,
    timeout: server.TimeoutOption = server.WAIT_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Wait until a template is ready, and print its id; one that failed is an error with its code."""
    server.check_timeout(timeout)
    with server.open_client(url) as client:
        template = _ready(client.template(template_id), timeout, url)
    _print(template, as_json=as_json)


@app.command("list")
def newest(limit: server.LimitOption = 20, url: server.UrlOption = None, as_json: JsonOption = False) -> None:
    """List your templates, the newest first."""
    with server.open_client(url) as client:
        views = [template.view for template in islice(client.templates(), limit)]
    if as_json:
        output.document({"templates": [view.raw for view in views]})
        return
    from rich.table import Table

    table = Table("template", "created", "status", "faces", "name", box=None)
    for view in views:
        status = f"failed [{view.error.code}]" if view.error is not None else view.status
        row = view.template_id, output.local_time(view.created_at), status, str(len(view.faces)), view.name
        table.add_row(*map(output.visible, row))
    output.console().print(table)


@app.command("show")
def show(
    template_id: IdArgument,
    out: Annotated[Path | None, typer.Option("--output", "-o", metavar="OUT", help="Write its photo here.")] = None,
    url: server.UrlOption = None,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Show a template, without waiting."""
    if out is not None:
        files.check_output(out, overwrite=force)
    with server.open_client(url) as client:
        template = client.template(template_id)
        if out is not None:
            output.check_extension(out, ImageType(template.view.media_type))
            files.write_file(out, template.image(), overwrite=force)
    if as_json:
        output.document(template.view.raw)
        return
    output.fields(template.view.raw)


@app.command("delete")
def delete(template_ids: IdsArgument, url: server.UrlOption = None, as_json: JsonOption = False) -> None:
    """Delete templates and their photos now; tasks that still want to use them fail."""
    with server.open_client(url) as client:
        change_each(
            template_ids, lambda template_id: client.template(template_id).delete(), row=lambda receipt: receipt.raw,
            words=lambda receipt: f"{receipt.template_id} is {receipt.status}", as_json=as_json,
            one="template", many="templates",
        )  # fmt: skip


def _ready(template: Template, timeout: float, url: str | None) -> Template:
    """The template when it is ready; one that failed is named, since it stays until it is deleted.

    Raises:
        WaitTimeout: It is not in time.
        FacefleetError: It failed.
    """
    with server.resumable("template", template.id, server.resume_command("templates wait", template.id, url)):
        try:
            return template.wait(timeout)
        except FacefleetError as error:
            if template.error is not None:
                error.message = f"The template {template.id} has failed: {error.message}"
            raise


def _print(template: Template, *, as_json: bool) -> None:
    if as_json:
        output.document(template.view.raw)
        return
    output.console().print(template.id)
