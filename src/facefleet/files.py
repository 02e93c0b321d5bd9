"""Writes files whole or not at all: outputs of the command line and the client, and secrets that a service keeps.

A file is written under a temporary name in its folder and then moved, so nobody ever sees half of one; an existing file
is never touched unless the caller allows it, even if it appears meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from facefleet.errors.input import ConfigInvalid, FileExists, FileUnwritable


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that could not be written, before any work is done for it.

    Raises:
        FileUnwritable: Its folder is missing or read-only, or something that is no regular file is in its place.
        FileExists: It is there already and ``overwrite`` is not given.
    """
    try:
        there = path.exists()
        if there and not path.is_file():
            raise FileUnwritable(f"{path} is not a regular file; name a file to write.", path=str(path))
        if there and not overwrite:
            raise _exists(path)
        if not path.parent.is_dir():
            raise FileUnwritable(f"The folder {path.parent} does not exist; make it first.", path=str(path))
    except OSError as error:
        raise unwritable(path, error) from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise FileUnwritable(f"{path} cannot be written: the folder {path.parent} is not writable.", path=str(path))


def write_file(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write an output whole or not at all.

    Raises:
        FileExists: It is there already and ``overwrite`` is not given.
        FileUnwritable: The folder is missing or read-only, or the disk is full.
    """
    with whole_file(path, overwrite=overwrite) as stream:
        stream.write(data)


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A stream whose bytes are the file once the block has ended without an error.

    Raises:
        FileExists: It is there already and ``overwrite`` is not given.
        FileUnwritable: The folder is missing or read-only, or the disk is full.
    """
    check_output(path, overwrite=overwrite)
    part = path.parent / f".facefleet-{uuid4().hex[:12]}.part"
    try:
        with part.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            part.replace(path)
        else:
            _move_to_free(part, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def kept_secret(path: Path, make: Callable[[], str], variable: str) -> str:
    """The secret in a file that only its owner reads; made when it is asked for first, atomically and once.

    Of two programs that start together, the second uses the first one's.

    Args:
        path: Of the file.
        make: Makes a new secret.
        variable: Of the environment that gives the secret instead.

    Raises:
        ConfigInvalid: The file cannot be read or made, or is no text.
    """
    try:
        if not path.exists():
            _make_secret(path, make())
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not ASCII text"
        raise ConfigInvalid(f"The secret {path} cannot be used: {why}; set {variable}.", path=str(path)) from None


def _make_secret(path: Path, secret: str) -> None:
    part = path.with_name(f".{path.name}-{uuid4().hex[:12]}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secret + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(part)
    finally:
        part.unlink()


def unwritable(path: Path, error: OSError) -> FileUnwritable:
    """The error of a file that cannot be written, with the system's reason."""
    return FileUnwritable(f"{path} cannot be written: {reason(error)}.", path=str(path))


def reason(error: OSError) -> str:
    """The system's message, or the name of the exception where it has none."""
    return error.strerror or type(error).__name__


def _move_to_free(part: Path, path: Path) -> None:
    """Move a file to a name that is free: a hard link fails where the name is taken, which a rename would not."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with path.open("xb") as stream:
            stream.write(part.read_bytes())


def _exists(path: Path) -> FileExists:
    return FileExists(f"{path} exists already; choose another name or allow to write over it.", path=str(path))
