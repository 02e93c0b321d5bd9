"""Implements ``facefleet batch``: a server fuses one face into many photos, or many faces into one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet import files
from facefleet.cli import output, start
from facefleet.cli.options import ConsentReference, Force, FusionFlags, Guardian, JsonOption, OwnPhoto, fusion_flags
from facefleet.cli.remote import server
from facefleet.cli.remote.batch_inputs import BatchInputs
from facefleet.cli.remote.result_names import save_names
from facefleet.media.limits import image_limits

if TYPE_CHECKING:
    from facefleet.cli.remote.batch_results import ItemResult
    from facefleet.client import Batch


@fusion_flags(several_sources=False)
def batch(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", help="Of the items; or folders of them.", show_default=False)
    ],
    source: Annotated[
        Path | None, typer.Option("--source", metavar="SOURCE", help="Whose face to take; each PHOTO is a target.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--target", metavar="TARGET", help="Where to put them; each PHOTO is a source.")
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option("--template", metavar="ID", help="A registered target, instead. Repeat it for one PHOTO."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Wait, and write the results to this folder.")
    ] = None,
    url: server.UrlOption = None,
    *,
    fusion: FusionFlags,
    consent_reference: ConsentReference = None,
    own_photo: OwnPhoto = False,
    guardian: Guardian = False,
    timeout: server.TimeoutOption = server.BATCH_SECONDS,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Have a server fuse one face into many photos, or many faces into one.

    By submitting you attest that the people shown in all photos agree; the server keeps that attestation.
    """
    server.check_timeout(timeout)
    settings = start.settings(client={"url": url})
    chosen = BatchInputs.choose(photos, source, target, template or ())
    types = chosen.check(image_limits(settings.images))
    consent = server.consent(consent_reference, own_photo=own_photo, guardian=guardian)
    began = time.monotonic()
    with server.client_of(settings) as client:
        names: list[str] = []
        if out is not None:
            types = types or [server.template_type(client, template_id) for template_id in chosen.template_ids]
            names = chosen.names(types)
            _check_outputs(out, names, force=force)
        with chosen.naming_files():
            made = client.batch(
                sources=chosen.sources, targets=chosen.targets, templates=chosen.template_ids, consent=consent,
                **fusion.choices,
            )  # fmt: skip
        if out is None:
            _print_id(made, as_json=as_json)
            return
        from facefleet.cli.remote.batch_results import save_remaining

        with server.resumable("batch", made.id, server.resume_command("batches wait", made.id, url, out, force=force)):
            save_names(out, made.id, names)
            server.wait_for_batch(made, timeout)
            results = save_remaining(made, out, overwrite=force)
    _print_results(made, out, chosen, results, time.monotonic() - began, as_json=as_json)
    if any(one.output is None for one in results):
        raise typer.Exit(1)


def _check_outputs(folder: Path, names: list[str], *, force: bool) -> None:
    """Check before anything is sent that every output can be written."""
    output.make_folder(folder)
    for name in names:
        files.check_output(folder / name, overwrite=force)


def _print_id(made: Batch, *, as_json: bool) -> None:
    if as_json:
        output.document(made.view.raw)
        return
    output.console().print(made.id)


def _print_results(
    made: Batch, folder: Path, chosen: BatchInputs, results: list[ItemResult], seconds: float, *, as_json: bool
) -> None:
    if as_json:
        rows = [{"input": str(chosen.inputs[one.item]), **one.document} for one in results]
        output.document({
            "batch_id": made.id, "status": made.status, "counts": made.counts, "items": rows,
            "seconds": round(seconds, 3),
        })  # fmt: skip
        return
    from facefleet.cli.remote.batch_results import print_outcome

    print_outcome(folder, made, results, lambda one: str(chosen.inputs[one.item]), f" in {seconds:.2f} s")
