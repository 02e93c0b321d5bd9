"""Saves the results of a batch as files under names chosen here, never under a name from the server's archive."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from facefleet import files
from facefleet.cli import output
from facefleet.cli.remote import result_names
from facefleet.errors.client import ServerUnreachable
from facefleet.errors.input import FileError
from facefleet.errors.task import TaskFailed

if TYPE_CHECKING:
    from facefleet.client import Batch

_INDEX = "results.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ItemResult:
    """The outcome of one item.

    Attributes:
        item: Its number.
        output: File of its picture, where there is one.
        row: Its row in the server's ``results.json``; ``error`` may be of this machine.
    """

    item: int
    output: Path | None
    row: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """What ``--json`` prints of it."""
        picture = str(self.output) if self.output else None
        return {"output": picture, **{name: self.row[name] for name in ("task_id", "status", "error")}}


def unpack(batch: Batch, folder: Path, names: Sequence[str] | None, *, overwrite: bool) -> list[ItemResult]:
    """Fetch what has succeeded and write each picture, whole or not at all; one that is there already stays.

    Args:
        batch: The batch.
        folder: An existing folder.
        names: Item → file name; the items' numbers where None.
        overwrite: Whether other existing files may be written over; otherwise the row of such an item has an error.

    Raises:
        ServerUnreachable: The response is no archive of a gateway.
        FacefleetError: The server refuses, the folder is gone, or the disk is full.
    """
    try:
        with TemporaryDirectory(prefix=".facefleet-", dir=folder) as here:
            archive = batch.save_results(here)
            with ZipFile(archive) as file:
                rows = [dict(row) for row in json.loads(file.read(_INDEX))]
                return [_save_item(file, row, folder / _name(row, names), overwrite=overwrite) for row in rows]
    except OSError as error:  # the folder went away meanwhile
        raise files.unwritable(folder, error) from None
    except (BadZipFile, KeyError, IndexError, TypeError, ValueError, EOFError, NotImplementedError) as error:
        raise ServerUnreachable(f"The results of the batch {batch.id} are damaged: {error}.") from None


def save_remaining(batch: Batch, folder: Path, *, overwrite: bool) -> list[ItemResult]:
    """Unpack under the names saved in the folder, and delete these when the batch is complete.

    Raises:
        FacefleetError: As of ``unpack``.
        FileUnreadable: The names cannot be read.
    """
    results = unpack(batch, folder, result_names.load_names(folder, batch.id), overwrite=overwrite)
    if batch.view.ended and all(one.output is not None or one.row["file"] is None for one in results):
        result_names.delete_names(folder, batch.id)
    return results


def print_outcome(
    folder: Path, batch: Batch, results: Sequence[ItemResult], label: Callable[[ItemResult], str], took: str = ""
) -> None:
    """Print which items have no picture, and how many have one.

    Args:
        folder: Where the pictures are.
        batch: The batch.
        results: The outcomes of its items.
        label: How an item is named in the output.
        took: How long it took, as `` in 1.90 s``.
    """
    for one in results:
        if one.output is None:
            error = one.row["error"] or {"message": f"It is {one.row['status']}.", "code": TaskFailed.code}
            output.failure(label(one), error["message"], error["code"])
    done = sum(one.output is not None for one in results)
    output.console().print(
        f"{output.visible(str(folder))}: {done} of {len(results)} done{took} (batch {batch.id})", soft_wrap=True
    )


def _name(row: dict[str, Any], names: Sequence[str] | None) -> str:
    if names is not None:
        return str(names[row["item"]])
    promised = output.promised_type(Path(row["file"] or ""))
    return f"{row['item']:04d}{promised.extension if promised else ''}"


def _save_item(file: ZipFile, row: dict[str, Any], place: Path, *, overwrite: bool) -> ItemResult:
    if row["file"] is None:
        return ItemResult(row["item"], None, row)
    entry = file.getinfo(row["file"])
    if _is_whole(place, entry):
        return ItemResult(row["item"], place, row)
    try:
        with file.open(entry) as picture, files.whole_file(place, overwrite=overwrite) as stream:
            shutil.copyfileobj(picture, stream)
    except FileError as error:
        return ItemResult(row["item"], None, row | {"error": {"code": error.code, "message": error.message}})
    return ItemResult(row["item"], place, row)


def _is_whole(place: Path, entry: ZipInfo) -> bool:
    """Whether the picture is already there, complete, from an earlier run that was stopped."""
    try:
        if not place.is_file() or place.is_symlink() or place.stat().st_size != entry.file_size:
            return False
        with place.open("rb") as stream:
            return _checksum(stream) == entry.CRC
    except OSError:
        return False


def _checksum(stream: BinaryIO) -> int:
    checksum = 0
    while chunk := stream.read(_CHUNK):
        checksum = zlib.crc32(chunk, checksum)
    return checksum
