"""Implements ``facefleet age``, which makes a face of one photo younger or older on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facefleet import files
from facefleet.cli import output, start
from facefleet.cli.local.fuse import marked, tell
from facefleet.cli.options import Force, JsonOption
from facefleet.options import AgeOptions


def age(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="JPEG, PNG, WebP or AVIF.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="File to write, of IMAGE's type.", show_default=False)
    ],
    by: Annotated[float, typer.Option(metavar="-1..1", help="Younger (-) or older (+).", show_default=False)],
    face: Annotated[
        int | None, typer.Option(metavar="N", help="Index by `facefleet faces`; default: the largest.")
    ] = None,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Experimental: make a face younger or older. The output carries the marks that say it was generated."""
    from facefleet.media.limits import image_limits
    from facefleet.worker.runtime import build_engine

    options = AgeOptions(age=by, target_face=face)
    settings = start.settings()
    limits = image_limits(settings.images)
    photo, media_type = output.typed_photo(image, limits)
    output.check_extension(out, media_type.result)
    files.check_output(out, overwrite=force)
    with output.fetching() as progress:
        engine = build_engine(settings, interpreters=1, progress=progress)
    aged = engine.age(photo, options)
    output.write_picture(out, marked(aged.picture, settings.marks.producer), overwrite=force)
    tell(out, aged, "aged", as_json=as_json)
