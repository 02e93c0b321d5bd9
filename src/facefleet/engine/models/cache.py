"""Keeps fetched files in a cache folder: each is whole and what the manifest pins, or it is not there.

    CACHE/models/NAME/VERSION-DIGEST8/FILE        a new version lies beside the old, so a running worker keeps its own
    CACHE/samples/NAME/VERSION-DIGEST8/FILE

A file is written under a temporary name in its folder, checked, synced and renamed. Several processes take turns by a
lock file; readers need neither the lock nor a writable folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout

from facefleet.engine.models.manifest import PinnedFile
from facefleet.errors.input import FileUnwritable
from facefleet.errors.model import ModelDigestMismatch, ModelFetchFailed

_LOCK_SECONDS = 1800.0  # another process may be downloading over a slow line
_CHUNK = 1 << 20  # bytes
_PART = ".part"


class State(StrEnum):
    """What a cached file is."""

    OK = "ok"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of checking one file.

    Attributes:
        path: Where it is or would be.
        state: What was found.
        expected: sha256 the manifest pins.
        actual: sha256 of the bytes found; empty where the file is missing.
    """

    path: Path
    state: State
    expected: str
    actual: str = ""


class Cache:
    """A folder of pinned files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, group: str, name: str, version: str, files: Sequence[PinnedFile], pinned: PinnedFile) -> Path:
        """Where a file of an entry lies; the folder's name holds the digest of the whole entry."""
        together = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()[:8]
        return self.root / group / name / f"{version}-{together}" / pinned.name

    def check(self, path: Path, pinned: PinnedFile) -> Check:
        """Hash one file; the size alone decides nothing."""
        try:
            with path.open("rb") as stream:
                actual = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            return Check(path, State.MISSING, pinned.sha256)
        return Check(path, State.OK if actual == pinned.sha256 else State.DAMAGED, pinned.sha256, actual)

    def remove(self, path: Path) -> None:
        """Take a damaged file away; a read-only cache keeps it, and it is refused at every load."""
        with suppress(OSError):
            path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the cache for writing.

        Raises:
            FileUnwritable: The folder cannot be made or written.
            ModelFetchFailed: Another process kept it for half an hour.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / ".lock", timeout=_LOCK_SECONDS)
            lock.acquire()
        except Timeout:
            raise ModelFetchFailed(f"Another process is filling {self.root}; try again later.") from None
        except OSError as error:
            raise self._unwritable(self.root, error) from None
        try:
            self._sweep()
            yield
        finally:
            lock.release()

    def store(self, path: Path, pinned: PinnedFile, pieces: Iterable[bytes]) -> None:
        """Write one file, whole or not at all.

        Raises:
            ModelDigestMismatch: The bytes are not the pinned ones.
            FileUnwritable: The disk is full or the folder read-only.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{pinned.name}.", suffix=_PART)
        except OSError as error:
            raise self._unwritable(path.parent, error) from None
        part = Path(name)
        try:
            _write(handle, pinned, pieces)
            part.chmod(0o644)  # a cache is often filled by one user and read by another
            part.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise self._unwritable(path, error) from None
        finally:
            part.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Temporary files left by a process that died; the lock is ours, so nobody is writing them."""
        for part in self.root.glob(f"*/*/*/.*{_PART}"):
            part.unlink(missing_ok=True)

    def _unwritable(self, path: Path, error: OSError) -> FileUnwritable:
        return FileUnwritable(
            f"The model cache cannot be written at {path}: {error.strerror}. Free space or choose another folder.",
            path=str(path),
        )


def mismatch(label: str, pinned: PinnedFile, actual: str, size: int | None = None) -> ModelDigestMismatch:
    """The error for bytes that are not the pinned ones."""
    length = "" if size is None else f" ({size:,} bytes instead of {pinned.size:,})"
    return ModelDigestMismatch(
        f"{label} is not the pinned file{length}: expected sha256 {pinned.sha256}, got {actual}. It was not kept.",
        file=pinned.name, expected=pinned.sha256, actual=actual,
    )  # fmt: skip


def _write(handle: int, pinned: PinnedFile, pieces: Iterable[bytes]) -> None:
    digest = hashlib.sha256()
    size = 0
    with os.fdopen(handle, "wb") as stream:
        for piece in pieces:
            size += len(piece)
            digest.update(piece)
            stream.write(piece)
            if size > pinned.size:  # no need for the rest of a file that is already too long
                break
        stream.flush()
        os.fsync(stream.fileno())
    if size != pinned.size or digest.hexdigest() != pinned.sha256:
        raise mismatch(pinned.name, pinned, digest.hexdigest(), size)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
