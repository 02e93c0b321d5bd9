"""Writes the results of a batch as one ZIP file while it is sent: it holds one picture at a time and deflates nothing.

An entry is written when its size and checksum are known, so that its header has both; readers that take a ZIP file from
a stream need that of entries that are stored without compression.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from facefleet.errors.conflict import ResultUnavailable
from facefleet.errors.task import ObjectMissing
from facefleet.media.sniff import ImageType
from facefleet.storage.store import Store
from facefleet.tasks.task import Task

INDEX = "results.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows; the record has the true times


class _Window(io.RawIOBase):
    """Holds the end of a long file: what was taken is freed, and the rest can still be written over."""

    def __init__(self) -> None:
        self._taken = 0
        self._rest = io.BytesIO()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._rest.write(data)

    def tell(self) -> int:
        return self._taken + self._rest.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            offset -= self._taken
        return self._taken + self._rest.seek(offset, whence)

    def take(self) -> bytes:
        """Take everything that was written since the last call."""
        data = self._rest.getvalue()
        self._taken += len(data)
        self._rest = io.BytesIO()
        return data


def archive(items: Iterable[Task], store: Store) -> Iterator[bytes]:
    """Write the file piece by piece: ``0007.jpg`` for each item that succeeded, and ``results.json`` about all.

    Raises:
        StoreUnavailable: The store went away; the file ends before its end.
    """
    window = _Window()
    index = []
    with ZipFile(window, "w", ZIP_STORED) as file:
        for task in items:
            row = _row(task)
            if task.result is not None and task.result_type is not None:
                name = f"{task.item:04d}{ImageType(task.result_type).extension}"
                try:
                    file.writestr(ZipInfo(name, _EPOCH), store.get(task.result))
                    row["file"] = name
                except ObjectMissing:
                    row["error"] = {"code": ResultUnavailable.code, "message": "The result has been deleted."}
                yield window.take()
            index.append(row)
        file.writestr(ZipInfo(INDEX, _EPOCH), json.dumps(index, ensure_ascii=False, indent=1).encode())
    yield window.take()


def _row(task: Task) -> dict[str, object]:
    failed = task.failure if task.state.terminal and task.result is None else None
    error = {"code": failed.code, "message": failed.message} if failed else None
    return {"item": task.item, "task_id": task.id, "status": task.state.value, "file": None, "error": error}
