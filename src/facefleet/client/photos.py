"""Photos as callers have them (bytes, a path, an open file), as parts of a request that may be sent again."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeAlias, cast

from facefleet.errors.input import FileUnreadable, OptionInvalid
from facefleet.files import reason

Photo: TypeAlias = "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO"

Upload: TypeAlias = "bytes | IO[bytes]"
Files: TypeAlias = "list[tuple[str, tuple[str, Upload]]]"


def uploads(photos: Mapping[str, Iterable[Photo]]) -> Files:
    """The file parts of a form, in order; they are named by their field, as names on a disk are nobody's business.

    Args:
        photos: Field → its photos.

    Raises:
        FileUnreadable: A path that is no readable file, or a stream that gives no bytes.
        OptionInvalid: What is given is no photo.
    """
    return [(field, (field, _upload(field, photo))) for field, several in photos.items() for photo in several]


def _upload(field: str, photo: Photo) -> Upload:
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    if isinstance(photo, (str, os.PathLike)):
        return cast("IO[bytes]", _FileOnDisk(Path(photo)))
    if not hasattr(photo, "read"):
        raise OptionInvalid(
            f"{field} must be a photo: bytes, a path, or a file open in binary mode; it is {ascii(photo)[:80]}.",
            field=field,
        )
    try:
        data = photo.read()  # a request that is sent again could not read it again
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise FileUnreadable(f"The file of {field} cannot be read: {error}.", field=field) from None
    if not isinstance(data, bytes):
        raise FileUnreadable("A photo is a file that is open in text mode; open it with mode 'rb'.")
    return data


class _FileOnDisk(io.RawIOBase):
    """Open only while it is read: a thousand of them may be parts of one request."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._position = 0
        self._open: BinaryIO | None = None
        try:
            with path.open("rb") as stream:  # what cannot be read is told before anything is sent
                self._size = os.fstat(stream.fileno()).st_size
        except OSError as error:
            raise self._unreadable(error) from None
        except ValueError:  # no name of a file has the character NUL
            raise FileUnreadable(f"{str(path)!a} is no path of a file.", path=str(path)) from None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Takes effect with the next read."""
        self._shut()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Bytes from the position on; at the end the file is closed."""
        try:
            if self._open is None:
                self._open = self._path.open("rb", buffering=0)
                self._open.seek(self._position)
            count = cast("io.RawIOBase", self._open).readinto(buffer) or 0
        except OSError as error:
            raise self._unreadable(error) from None
        self._position += count
        if count == 0:
            self._shut()
        return count

    def close(self) -> None:
        self._shut()
        super().close()

    def _shut(self) -> None:
        stream, self._open = getattr(self, "_open", None), None
        if stream is not None:
            stream.close()

    def _unreadable(self, error: OSError) -> FileUnreadable:
        return FileUnreadable(f"{self._path} cannot be read: {reason(error)}.", path=str(self._path))
