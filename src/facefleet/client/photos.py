"""Turns photos (bytes, a path, an open file) into contents of a request that can be sent more than once."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeAlias, cast

from facefleet.client.views import Upload
from facefleet.errors.input import FileUnreadable, OptionInvalid
from facefleet.files import reason

Photo: TypeAlias = "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO"

Usable: TypeAlias = "Photo | Upload"
"""A photo, or one that was uploaded before."""

Content: TypeAlias = "bytes | IO[bytes]"
Files: TypeAlias = "list[tuple[str, Content | Upload]]"


def contents(photos: Mapping[str, Iterable[Usable]]) -> Files:
    """The photos of a request, in order, named by their field: the server need not know names on this disk.

    Args:
        photos: Field → its photos.

    Raises:
        FileUnreadable: A path that is no readable file, or a stream that gives no bytes.
        OptionInvalid: One is neither bytes, nor a path, nor a file.
    """
    return [
        (field, photo if isinstance(photo, Upload) else content(field, photo))
        for field, several in photos.items() for photo in several
    ]  # fmt: skip


def size_of(photo: Content) -> int:
    """Bytes."""
    return len(photo) if isinstance(photo, bytes) else photo.seek(0, os.SEEK_END)


def content(field: str, photo: Photo) -> Content:
    """One photo; arguments and errors as above."""
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
    """A file that is open only while it is read, since a request may have a thousand of them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._position = 0
        self._open: BinaryIO | None = None
        try:
            with path.open("rb") as stream:  # an unreadable file is reported before anything is sent
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
        """Set the position of the next read."""
        self._close_stream()
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
            self._close_stream()
        return count

    def close(self) -> None:
        self._close_stream()
        super().close()

    def _close_stream(self) -> None:
        stream, self._open = getattr(self, "_open", None), None
        if stream is not None:
            stream.close()

    def _unreadable(self, error: OSError) -> FileUnreadable:
        return FileUnreadable(f"{self._path} cannot be read: {reason(error)}.", path=str(self._path))
