"""Implements ``facefleet samples``, which fetches photos to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet import files
from facefleet.cli import output
from facefleet.cli.options import JsonOption

if TYPE_CHECKING:
    from facefleet.engine.models.manifest import SampleEntry


def samples(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Samples; none: all.", show_default=False)
    ] = None,
    public_domain: Annotated[
        bool, typer.Option("--public-domain", help="Only photos whose results may be published.")
    ] = False,
    copy_to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Also copy them there.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Copy over existing files.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch sample photos and print where they are and what their licences allow."""
    from facefleet.cli.local.models import open_registry

    with output.fetching() as progress:
        registry = open_registry(progress)
        entries = [e for e in registry.sample_entries(names or None) if e.public_domain or not public_domain]
        paths = registry.samples([entry.name for entry in entries])
    if copy_to is not None:
        output.make_folder(copy_to)
        paths = {name: _copy(path, copy_to, force=force) for name, path in paths.items()}
    if as_json:
        output.document({"samples": [_row(entry, paths[entry.name]) for entry in entries]})
        return
    if not entries:
        output.console(stderr=True).print("None of these is in the public domain.")
    for entry in entries:
        output.console().print(_lines(entry, paths[entry.name]), soft_wrap=True)


def _copy(path: Path, folder: Path, *, force: bool) -> Path:
    place = folder / path.name
    files.write_file(place, path.read_bytes(), overwrite=force)
    return place


def _row(entry: SampleEntry, path: Path) -> dict[str, object]:
    return {
        "name": entry.name, "path": str(path), "description": entry.description, "licence": entry.licence,
        "public_domain": entry.public_domain, "commercial": entry.commercial, "notes": entry.notes,
    }  # fmt: skip


def _lines(entry: SampleEntry, path: Path) -> str:
    return f"{entry.name}  {path}\n    {entry.description}\n    licence: {entry.licence}. {entry.notes}"
