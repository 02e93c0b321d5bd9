"""Keeps objects in a local folder: an object is a file, its key the path below the folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from facefleet.errors.outage import StoreUnavailable
from facefleet.errors.task import ObjectMissing
from facefleet.observability.metrics import ignore_outage
from facefleet.storage.store import CHUNK_BYTES, Content, Download, pieces_of

_UNFINISHED = "#"  # in the name of a file that is still being written; no key of ours has it


class FolderStore:
    """A ``Store`` in a folder that this machine, or a mounted disk, has.

    When the folder itself is gone (a disk that is not mounted), that is an outage and no missing object, and the folder
    is not made again.

    Args:
        folder: Made where it is not there.
        on_outage: Called each time that the folder could not be used.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, folder: Path, *, on_outage: Callable[[], object] = ignore_outage) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._on_outage = on_outage

    def put(self, key: str, content: Content) -> None:
        """Keep the bytes; readers see all of them or none."""
        path = self._folder / key
        unfinished = f"{path}{_UNFINISHED}{uuid4().hex}"
        with self._outages():
            file = self._create(unfinished)
        try:
            with file:
                for piece in pieces_of(content):
                    with self._outages():
                        file.write(piece)
            with self._outages():
                os.replace(unfinished, path)  # noqa: PTH105 - building a Path takes as long as the call
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise

    def get(self, key: str) -> bytes:
        """The bytes of the object."""
        with self._outages(key):
            return (self._folder / key).read_bytes()

    def stream(self, key: str) -> Download:
        """The bytes piece by piece; those of an object that is deleted meanwhile stay until they are read."""
        with self._outages(key):
            file = (self._folder / key).open("rb", buffering=0)

        def chunks() -> Iterator[bytes]:
            with file, self._outages():
                yield b""  # taken below: a generator that has begun closes the file, even if nobody goes on
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk

        pieces = chunks()
        next(pieces)
        return Download(os.fstat(file.fileno()).st_size, pieces)

    def link(self, key: str, seconds: float) -> str | None:  # noqa: ARG002
        """None: clients cannot reach a folder."""
        return None

    def copy(self, key: str, to: str) -> None:
        """Copy the file."""
        with self._outages(key):
            file = (self._folder / key).open("rb")
        with file:
            self.put(to, file)

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""
        with suppress(ObjectMissing), self._outages(key):
            (self._folder / key).unlink()

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix."""
        self.check()
        with self._outages():
            for folder, _, names in os.walk(self._folder / prefix, onerror=_ignore_missing):
                below = Path(folder).relative_to(self._folder).as_posix()
                yield from (f"{below}/{name}" for name in names if _UNFINISHED not in name)

    def tidy(self, before: datetime) -> int:
        """Remove unfinished files of killed writers, and folders that have been empty since before this time."""
        self.check()
        with self._outages():
            unfinished = [path for path in self._folder.rglob(f"*{_UNFINISHED}*") if _changed(path) < before]
            for path in unfinished:
                path.unlink(missing_ok=True)
            for folder, _, _ in os.walk(self._folder, topdown=False, onerror=_ignore_missing):
                if Path(folder) != self._folder and _changed(Path(folder)) < before:
                    with suppress(OSError):  # it is not empty
                        Path(folder).rmdir()
            return len(unfinished)

    def check(self) -> None:
        """Check that the folder can be read."""
        with self._outages():
            os.scandir(self._folder).close()

    def _create(self, path: str) -> BinaryIO:
        """A new file, open for writing; once it exists, its folder cannot be removed.

        Its folder is made if needed, and again however often another process removes it before the file exists:
        ``tidy`` removes old folders only, so one that was just made stays.
        """
        while True:
            try:
                return open(path, "xb")  # noqa: PTH123 - the caller closes it
            except FileNotFoundError:
                if not self._folder.is_dir():
                    raise
            with suppress(FileNotFoundError):
                Path(path).parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _outages(self, absent: str | None = None) -> Iterator[None]:
        """Raise errors of ours; ``absent`` is a key whose absence is ``ObjectMissing`` and no outage."""
        try:
            yield
        except OSError as error:
            if absent and isinstance(error, FileNotFoundError) and self._folder.is_dir():
                raise ObjectMissing("The object is not in the store.", key=absent) from error
            self._on_outage()
            raise StoreUnavailable(
                "The folder of the objects cannot be used; try again.", cause=type(error).__name__
            ) from error


def _ignore_missing(error: OSError) -> None:
    """Ignore a folder that does not exist or was deleted meanwhile: it has no objects."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _changed(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:  # its writer has just finished it
        return datetime.max.replace(tzinfo=UTC)
