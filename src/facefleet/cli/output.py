"""Reads input files and prints output for the commands: lines for a person, or one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from facefleet import files
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import FileUnreadable, OptionInvalid
from facefleet.media.sniff import ImageType, Limits, check_bytes, sniff

if TYPE_CHECKING:  # they take time that --help and --json need not pay
    from rich.console import Console

    from facefleet.safety.marking import MarkedPicture

_EXTENSIONS = {
    ".jpg": ImageType.JPEG, ".jpeg": ImageType.JPEG, ".jpe": ImageType.JPEG, ".jfif": ImageType.JPEG,
    ".png": ImageType.PNG, ".apng": ImageType.PNG, ".webp": ImageType.WEBP, ".avif": ImageType.AVIF,
}  # fmt: skip
_WIDE = 240  # columns where there is no terminal: a path in a pipe must stay on one line


def document(data: object) -> None:
    """Print the one JSON document of a ``--json`` run."""
    sys.stdout.write(json.dumps(data, indent=2, default=_plain) + "\n")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def console(*, stderr: bool = False) -> Console:
    """The console for lines for a person."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _WIDE, highlight=False, markup=False)


def visible(text: str) -> str:
    """The text on one line, control characters spelt out, since file names may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def local_time(at: datetime | None) -> str:
    """A local date and time; empty for None."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def fields(shown: Mapping[str, object]) -> None:
    """Print a document, one line a field; empty fields are left out."""
    for name, value in shown.items():
        if value not in (None, {}, []):
            text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else value
            console().print(f"{visible(name):16} {visible(str(text))}", soft_wrap=True)


def failure(name: str, message: str, code: str) -> None:
    """Print the error of one of several on stderr."""
    console(stderr=True).print(visible(f"{name}: {message} [{code}]"), style="red", soft_wrap=True)


def read_photo(path: Path, limits: Limits) -> bytes:
    """A photo's bytes; of a file that is too long no more than the limit is read.

    Raises:
        FileUnreadable: It is missing, a directory, or may not be read.
        ImageTooLargeBytes: It is over ``limits.max_bytes``.
    """
    try:
        if not path.is_file() and path.exists() and not path.is_dir():  # a pipe could keep us waiting for ever
            raise FileUnreadable(f"{path} is not a regular file; save the photo to one.", path=str(path))
        with path.open("rb") as stream:
            data = stream.read(limits.max_bytes + 1)
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {files.reason(error)}.", path=str(path)) from None
    check_bytes(len(data), limits)
    return data


def typed_photo(path: Path, limits: Limits) -> tuple[bytes, ImageType]:
    """A photo and its type by its header; errors name the path.

    Raises:
        FileUnreadable: It cannot be read.
        ImageError: It cannot be used.
    """
    photo = read_photo(path, limits)
    try:
        return photo, sniff(photo, limits).type
    except FacefleetError as error:
        name_path(error, path)
        raise


def name_path(error: FacefleetError, path: Path) -> None:
    """Add the path to the message and detail of an error."""
    error.message = f"{path}: {error.message}"
    error.detail["path"] = str(path)


def make_folder(path: Path) -> None:
    """Make a folder for outputs, and those above it; one that is there is fine.

    Raises:
        FileUnwritable: Something else is in its place, or it may not be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.unwritable(path, error) from None


def promised_type(path: Path) -> ImageType | None:
    """The type that the extension of a file name promises."""
    return _EXTENSIONS.get(path.suffix.lower())


def check_extension(path: Path, media_type: ImageType) -> None:
    """Refuse a file name that promises another type than the file will have; a name that promises none is fine.

    Raises:
        OptionInvalid: The extension names another type.
    """
    if not path.suffix or promised_type(path) is media_type:
        return
    raise OptionInvalid(
        f"The output will be {media_type}, as the photo that it is made from, but {path.name} ends in {path.suffix}; "
        f"use {media_type.extension}.",
        option="output", value=path.name, extension=media_type.extension,
    )  # fmt: skip


def write_picture(path: Path, picture: MarkedPicture, *, overwrite: bool) -> None:
    """Write a picture that this machine produced; its type says that it carries its marks.

    Raises:
        FileExists: There is a file already, and it is not to be overwritten.
        FileUnwritable: The file cannot be written.
    """
    files.write_file(path, picture.image, overwrite=overwrite)


@contextmanager
def fetching() -> Iterator[Fetching]:
    """A progress bar for fetched files, on stderr and only on a terminal."""
    if not sys.stderr.isatty():
        yield Fetching(None)
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console(stderr=True), transient=True) as bars:
        yield Fetching(bars)


if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Fetching:
    """Turns ``(what, done, total)`` into one bar each."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Show how far one file is; a total of None is a wait of unknown length."""
        if self._bars is None:
            return
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)
