"""``facefleet submit``: a fusion by any server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facefleet import files
from facefleet.assignments import check_sources
from facefleet.cli import output, server, start
from facefleet.cli.assign import parse
from facefleet.cli.control import JsonOption
from facefleet.cli.fuse import target_face_of
from facefleet.cli.options import Age, Assign, FaceToReplace, FaceToTake, Force, MoreSources, Shape, Strength, Tiles

if TYPE_CHECKING:
    from facefleet.client import Task
    from facefleet.config import Settings


def submit(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Whose face to take.", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Where to put it.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Wait, and write this file, of TARGET's type."),
    ] = None,
    url: server.UrlOption = None,
    strength: Strength = 1.0,
    shape: Shape = 0.5,
    source_face: FaceToTake = None,
    target_face: FaceToReplace = None,
    more_sources: MoreSources = None,
    assign: Assign = None,
    tiles: Tiles = False,
    age: Age = 0.0,
    timeout: server.TimeoutOption = server.WAIT_SECONDS,
    force: Force = False,
    as_json: JsonOption = False,
) -> None:
    """Have a server fuse the face of SOURCE into TARGET.

    By submitting you attest that the people shown in all photos agree; the server keeps that attestation.
    """
    server.check_timeout(timeout)
    assignments = parse(assign or ())
    check_sources(assignments, 1 + len(more_sources or ()))
    settings = start.settings(client={"url": url})
    photos = _read([source, *(more_sources or ()), target], settings, out, force=force)
    began = time.monotonic()
    with server.client_of(settings) as client:
        task = client.fuse(
            photos[0], photos[-1], consent=True, more_sources=photos[1:-1], faces=assignments, tiles=tiles,
            source_face=source_face, target_face=target_face_of(target_face),
            strength=strength, shape=shape, age=age or None,
        )  # fmt: skip
        if out is not None:
            image = server.wait(task, timeout).image()
            files.write_file(out, image, overwrite=force)
    _tell(out, task, time.monotonic() - began, as_json=as_json)


def _read(paths: list[Path], settings: Settings, out: Path | None, *, force: bool) -> list[bytes]:
    """The photos, checked as the server will, and the place of the output before anything is sent."""
    from facefleet.media.sniff import Limits, sniff

    limits = Limits(**settings.images.model_dump())
    photos = [output.read_photo(path, limits) for path in paths]
    types = [sniff(photo, limits).type for photo in photos]
    if out is not None:
        output.check_extension(out, types[-1])
        files.check_output(out, overwrite=force)
    return photos


def _tell(out: Path | None, task: Task, seconds: float, *, as_json: bool) -> None:
    view = task.view
    if as_json:
        found: dict[str, Any] = {"task_id": task.id, "status": task.status}
        if out is not None:
            found = {"output": str(out)} | found | {"timings_ms": view.timings_ms, "models": view.models}
        output.document(found | {"seconds": round(seconds, 3)})
        return
    if out is None:
        output.console().print(task.id)
        return
    output.console().print(f"{output.visible(str(out))}: done in {seconds:.2f} s (task {task.id})", soft_wrap=True)
