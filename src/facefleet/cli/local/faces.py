"""Implements ``facefleet faces``, which finds the faces of a photo on this machine and lists or draws them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet import files
from facefleet.cli import output, start
from facefleet.cli.local.fuse import marked
from facefleet.cli.options import Force, JsonOption, Tiles

if TYPE_CHECKING:
    from facefleet.engine.types import Faces


def faces(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="JPEG, PNG, WebP or AVIF.", show_default=False)],
    draw: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write a copy with boxes and landmarks drawn in.")
    ] = None,
    tiles: Tiles = False,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Find the faces of a photo, the largest first: box, head pose and five points, in px of the upright image."""
    from facefleet.engine.faces_json import faces_to_json
    from facefleet.media.limits import image_limits
    from facefleet.worker.runtime import build_engine

    settings = start.settings()
    data, media_type = output.typed_photo(image, image_limits(settings.images))
    if draw is not None:
        output.check_extension(draw, media_type.result)
        files.check_output(draw, overwrite=force)
    with output.fetching() as progress:
        engine = build_engine(settings, interpreters=1, progress=progress, inspects=False)
    result = engine.faces(data, tiles=tiles)
    if draw is not None:
        output.write_picture(draw, marked(engine.draw(data, tiles=tiles), settings.marks.producer), overwrite=force)
    if as_json:
        output.document(faces_to_json(result))
        return
    _print(result, draw)


def _print(faces: Faces, draw: Path | None) -> None:
    from facefleet.engine.steps.gate import not_sought

    console = output.console()
    if not faces.faces:
        console.print(f"no face.{not_sought(faces)}" if not_sought(faces) else "no face", soft_wrap=True)
    for face in faces.faces:
        box, pose = face.box, face.pose
        console.print(
            f"{face.index}: {box.width:.0f} × {box.height:.0f} px at {box.x:.0f}, {box.y:.0f}; score {face.score:.2f}; "
            f"yaw {pose.yaw:+.0f}°, pitch {pose.pitch:+.0f}°, roll {pose.roll:+.0f}°"
        )
    if draw is not None:
        console.print(f"drawn: {draw}", soft_wrap=True)
