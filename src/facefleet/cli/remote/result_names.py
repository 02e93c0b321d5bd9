"""Keeps the file names of a batch's results in a hidden file beside them, so that a stopped download can go on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from facefleet import files
from facefleet.errors.input import FileUnreadable


def save_names(folder: Path, batch_id: str, names: Sequence[str]) -> None:
    """Write the names of a batch, item by item.

    Raises:
        FileUnwritable: The folder is gone or read-only, or the disk is full.
    """
    files.write_file(_place(folder, batch_id), json.dumps(names).encode(), overwrite=True)


def load_names(folder: Path, batch_id: str) -> list[str] | None:
    """The names of a batch; None where it was not begun into this folder, or is complete.

    Raises:
        FileUnreadable: They cannot be read, or would lead out of the folder.
    """
    place = _place(folder, batch_id)
    try:
        names = json.loads(place.read_text())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileUnreadable(f"{place} cannot be read: {files.reason(error)}.", path=str(place)) from None
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) and _is_plain(name) for name in names):
        raise FileUnreadable(f"{place} is damaged; delete it to have files named by their numbers.", path=str(place))
    return names


def delete_names(folder: Path, batch_id: str) -> None:
    """Delete the names of a batch that is complete.

    Raises:
        FileUnwritable: The folder is read-only by now.
    """
    place = _place(folder, batch_id)
    try:
        place.unlink(missing_ok=True)
    except OSError as error:
        raise files.unwritable(place, error) from None


def _place(folder: Path, batch_id: str) -> Path:
    return folder / f".facefleet-{quote(batch_id, safe='')}.json"


def _is_plain(name: str) -> bool:
    return Path(name).name == name and name not in ("", "..")
