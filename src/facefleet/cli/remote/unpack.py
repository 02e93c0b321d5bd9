"""The results of a batch as files, by names that we choose: none of the archive's leads anywhere."""

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
from facefleet.cli.remote import names
from facefleet.errors.client import ServerUnreachable
from facefleet.errors.input import FileError
from facefleet.errors.task import TaskFailed

if TYPE_CHECKING:
    from facefleet.client import Batch

_INDEX = "results.json"
_CHUNK = 1 << 20


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

    @property
    def told(self) -> dict[str, Any]:
        """What ``--json`` says of it."""
        picture = str(self.output) if self.output else None
        return {"output": picture, **{name: self.row[name] for name in ("task_id", "status", "error")}}


def unpack(batch: Batch, folder: Path, called: Sequence[str] | None, *, overwrite: bool) -> list[Unpacked]:
    """Fetch what has succeeded and write each picture, whole or not at all; one that is there already stays.

    Args:
        batch: Whose.
        folder: Where to; there already.
        called: Item → file name; the items' numbers where not given.
        overwrite: Whether other files that are there may be written over; one that may not is told in its row.

    Raises:
        ServerUnreachable: What came is no archive of a gateway.
        FacefleetError: Nothing came, the folder is gone, or the disk is full.
    """
    try:
        with TemporaryDirectory(prefix=".facefleet-", dir=folder) as here:
            archive = batch.save_results(here)
            with ZipFile(archive) as file:
                rows = [dict(row) for row in json.loads(file.read(_INDEX))]
                return [_unpacked(file, row, folder / _name(row, called), overwrite=overwrite) for row in rows]
    except OSError as error:  # the folder went away meanwhile
        raise files.unwritable(folder, error) from None
    except (BadZipFile, KeyError, IndexError, TypeError, ValueError, EOFError, NotImplementedError) as error:
        raise ServerUnreachable(f"The results of the batch {batch.id} are damaged: {error}.") from None


def finish(batch: Batch, folder: Path, *, overwrite: bool) -> list[Unpacked]:
    """Unpack under the names that are kept in the folder, and forget them when nothing is left to do.

    Raises:
        FacefleetError: As of ``unpack``.
        FileUnreadable: The names cannot be read.
    """
    results = unpack(batch, folder, names.kept(folder, batch.id), overwrite=overwrite)
    if batch.view.ended and all(one.output is not None or one.row["file"] is None for one in results):
        names.drop(folder, batch.id)
    return results


def tell(
    folder: Path, batch: Batch, results: Sequence[Unpacked], label: Callable[[Unpacked], str], took: str = ""
) -> None:
    """Tell a person which items have no picture, and how many have one.

    Args:
        folder: Where the pictures are.
        batch: Whose.
        results: Of it.
        label: What a person calls an item.
        took: How long, as `` in 1.90 s``.
    """
    for one in results:
        if one.output is None:
            error = one.row["error"] or {"message": f"It is {one.row['status']}.", "code": TaskFailed.code}
            output.failure(label(one), error["message"], error["code"])
    done = sum(one.output is not None for one in results)
    output.console().print(
        f"{output.visible(str(folder))}: {done} of {len(results)} done{took} (batch {batch.id})", soft_wrap=True
    )


def _name(row: dict[str, Any], called: Sequence[str] | None) -> str:
    if called is not None:
        return str(called[row["item"]])
    promised = output.promised_type(Path(row["file"] or ""))
    return f"{row['item']:04d}{promised.extension if promised else ''}"


def _unpacked(file: ZipFile, row: dict[str, Any], place: Path, *, overwrite: bool) -> Unpacked:
    if row["file"] is None:
        return Unpacked(row["item"], None, row)
    entry = file.getinfo(row["file"])
    if _is_whole(place, entry):
        return Unpacked(row["item"], place, row)
    try:
        with file.open(entry) as picture, files.whole_file(place, overwrite=overwrite) as stream:
            shutil.copyfileobj(picture, stream)
    except FileError as error:
        return Unpacked(row["item"], None, row | {"error": {"code": error.code, "message": error.message}})
    return Unpacked(row["item"], place, row)


def _is_whole(place: Path, entry: ZipInfo) -> bool:
    """Whether the picture is there already: of whoever was stopped and goes on."""
    try:
        if not place.is_file() or place.is_symlink() or place.stat().st_size != entry.file_size:
            return False
        with place.open("rb") as stream:
            return _checksum(stream) == entry.CRC
    except OSError:
        return False


def _checksum(stream: BinaryIO) -> int:
    found = 0
    while chunk := stream.read(_CHUNK):
        found = zlib.crc32(chunk, found)
    return found
