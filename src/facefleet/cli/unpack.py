"""The results of a batch as files, by names that we choose: none of the archive's leads anywhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from facefleet import files
from facefleet.errors import FileError, ServerUnreachable

if TYPE_CHECKING:
    from facefleet.client import Batch

_INDEX = "results.json"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What became of one item.

    Attributes:
        item: Its number.
        output: Its picture, where there is one.
        row: What the server says of it; its ``error`` may be ours.
    """

    item: int
    output: Path | None
    row: dict[str, Any]


def unpack(batch: Batch, folder: Path, names: Sequence[str], *, overwrite: bool) -> list[Unpacked]:
    """Fetch what has succeeded and write each picture, whole or not at all.

    Args:
        batch: Whose.
        folder: Where to; there already.
        names: Item → file name.
        overwrite: Whether files that are there may be written over; one that may not is told in its row.

    Raises:
        ServerUnreachable: What came is no archive of a gateway.
        FacefleetError: Nothing came, the folder is gone, or the disk is full.
    """
    try:
        with TemporaryDirectory(prefix=".facefleet-", dir=folder) as here:
            archive = batch.save_results(here)
            with ZipFile(archive) as file:
                rows = [dict(row) for row in json.loads(file.read(_INDEX))]
                return [_unpacked(file, row, folder / names[row["item"]], overwrite=overwrite) for row in rows]
    except OSError as error:  # the folder went away meanwhile
        raise files.unwritable(folder, error) from None
    except (BadZipFile, KeyError, IndexError, TypeError, ValueError, EOFError, NotImplementedError) as error:
        raise ServerUnreachable(f"The results of the batch {batch.id} are damaged: {error}.") from None


def _unpacked(file: ZipFile, row: dict[str, Any], place: Path, *, overwrite: bool) -> Unpacked:
    if row["file"] is None:
        return Unpacked(row["item"], None, row)
    try:
        with file.open(row["file"]) as picture, files.whole_file(place, overwrite=overwrite) as stream:
            shutil.copyfileobj(picture, stream)
    except FileError as error:
        return Unpacked(row["item"], None, row | {"error": {"code": error.code, "message": error.message}})
    return Unpacked(row["item"], place, row)
