"""``facefleet submit``: a fusion by any server."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facefleet import files
from facefleet.assignments import check_sources
from facefleet.cli import output, start
from facefleet.cli.assign import Assign, MoreSources, Tiles, newer_options, parse
from facefleet.cli.fuse import target_face_of
from facefleet.errors import OptionInvalid

if TYPE_CHECKING:
    from facefleet.cli.remote import Finished


def submit(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Whose face to take.", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Where to put it.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="File to write, of TARGET's type.", show_default=False)
    ],
    url: Annotated[str | None, typer.Option(help="Of the gateway; default: the setting client.url.")] = None,
    strength: Annotated[float, typer.Option(metavar="0..1", help="How much of the fused face is blended in.")] = 1.0,
    shape: Annotated[float, typer.Option(metavar="0..1", help="How much of the source's face shape is taken.")] = 0.5,
    source_face: Annotated[int | None, typer.Option(metavar="N", help="Index; default: the largest.")] = None,
    target_face: Annotated[
        str | None, typer.Option(metavar="N|all", help="Index, or all; default: the largest.")
    ] = None,
    more_sources: MoreSources = None,
    assign: Assign = None,
    tiles: Tiles = False,
    age: Annotated[
        float, typer.Option(metavar="-1..1", help="Experimental: make the fused face younger (-) or older (+).")
    ] = 0.0,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for the result.")] = 300.0,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Have a server fuse the face of SOURCE into TARGET.

    By submitting you attest that the people shown in both photos agree; the server keeps that attestation.
    """
    import httpx

    from facefleet.cli.remote import Remote
    from facefleet.media.sniff import Limits, sniff

    if not 0 < timeout < math.inf:  # nan is neither
        raise OptionInvalid(f"--timeout must be a number of seconds above 0; it is {timeout:g}.", option="timeout")
    assignments = parse(assign or ())
    check_sources(assignments, 1 + len(more_sources or ()))
    settings = start.settings(client={"url": url})
    limits = Limits(**settings.images.model_dump())
    sources = [output.read_photo(photo, limits) for photo in (source, *(more_sources or ()))]
    photo = output.read_photo(target, limits)
    for one in (*sources, photo):
        sniff(one, limits)
    output.check_extension(out, sniff(photo, limits).type)
    files.check_output(out, overwrite=force)
    options: dict[str, object] = {
        "strength": strength, "shape": shape, "source_face": source_face, "target_face": target_face_of(target_face),
        **newer_options(assignments, tiles=tiles),
    }  # fmt: skip
    if age:  # servers of the release before refuse it
        options["age"] = age
    with httpx.Client(base_url=settings.client.url, timeout=30.0) as client:
        finished = Remote(client).fuse(sources[0], photo, options, timeout, sources[1:])
    files.write_file(out, finished.image, overwrite=force)
    _tell(out, finished, as_json=as_json)


def _tell(out: Path, finished: Finished, *, as_json: bool) -> None:
    view: dict[str, Any] = dict(finished.view)
    if as_json:
        found = {name: view[name] for name in ("task_id", "status", "timings_ms", "models")}
        output.document({"output": str(out), **found, "seconds": round(finished.seconds, 3)})
        return
    output.console().print(
        f"{output.visible(str(out))}: done in {finished.seconds:.2f} s (task {view['task_id']})", soft_wrap=True
    )
