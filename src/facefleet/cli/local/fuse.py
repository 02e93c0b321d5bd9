"""Implements ``facefleet fuse``, which fuses the face of one photo into another on this machine, without a service."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from facefleet import files
from facefleet.assignments import check_sources
from facefleet.cli import output, start
from facefleet.cli.options import Force, FusionFlags, JsonOption, fusion_flags
from facefleet.options import FuseOptions

if TYPE_CHECKING:
    from facefleet.engine.types import Fusion, Picture
    from facefleet.safety.marking import MarkedPicture


@fusion_flags()
def fuse(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Whose face to take.", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Where to put it.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="File to write, of TARGET's type.", show_default=False)
    ],
    fusion: FusionFlags,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Fuse the face of SOURCE into TARGET, or faces of several sources. The output carries the marks that say so."""
    from facefleet.media.limits import image_limits
    from facefleet.worker.runtime import build_engine

    options = FuseOptions.of_choices(fusion.choices)
    check_sources(options.faces, 1 + len(fusion.more_sources))
    settings = start.settings()
    limits = image_limits(settings.images)
    sources = [output.typed_photo(path, limits)[0] for path in (source, *fusion.more_sources)]
    photo, media_type = output.typed_photo(target, limits)
    output.check_extension(out, media_type.result)
    files.check_output(out, overwrite=force)
    with output.fetching() as progress:
        engine = build_engine(settings, interpreters=1, progress=progress)
    fused = engine.fuse(sources[0], photo, options, more_sources=sources[1:])
    output.write_picture(out, marked(fused.picture, settings.marks.producer), overwrite=force)
    tell(out, fused, "fused", as_json=as_json)
    if not as_json:
        _print_weaker(fused, options.strength)


def marked(picture: Picture, producer: str) -> MarkedPicture:
    """The picture with the marks that say it was generated."""
    from facefleet.safety.marking import mark

    return mark(picture, producer=producer, content_id=str(uuid4()))


def tell(out: Path, fusion: Fusion, done: str, *, as_json: bool) -> None:
    """Print what was done to which faces, and how long it took."""
    timings = {step: round(float(took), 2) for step, took in fusion.timings_ms.items()}
    if as_json:
        from facefleet.engine.faces_json import face_to_json

        blends = [{"strength": share} for share in fusion.strengths] or [{}] * len(fusion.faces)
        rows = [face_to_json(face) | blend for face, blend in zip(fusion.faces, blends, strict=True)]
        output.document({
            "output": str(out), "faces": rows, "skipped": [asdict(one) for one in fusion.skipped],
            "timings_ms": timings, "models": dict(fusion.models),
        })  # fmt: skip
        return
    count = len(fusion.faces)
    faces = "1 face" if count == 1 else f"{count} faces"
    output.console().print(
        f"{output.visible(str(out))}: {faces} {done} in {sum(timings.values()):.0f} ms", soft_wrap=True
    )
    for one in fusion.skipped:
        output.console().print(f"face {one.index} stays as it was: {one.code}")


def _print_weaker(fusion: Fusion, asked: float) -> None:
    for face, strength in zip(fusion.faces, fusion.strengths, strict=True):
        if strength < asked:
            output.console().print(
                f"face {face.index} was blended at strength {strength:.2f}: at {asked:g} it did not look right"
            )
