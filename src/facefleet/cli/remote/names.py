"""What the pictures of a batch are called in a folder: kept there, hidden, until all are whole, for who goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from facefleet import files
from facefleet.errors.input import FileUnreadable


def keep(folder: Path, batch_id: str, names: Sequence[str]) -> None:
    """Keep the names of a batch, item by item.

    Raises:
        FileUnwritable: The folder is gone or read-only, or the disk is full.
    """
    files.write_file(_place(folder, batch_id), json.dumps(names).encode(), overwrite=True)


def kept(folder: Path, batch_id: str) -> list[str] | None:
    """The names of a batch; none where it was not begun into this folder, or is there already.

    Raises:
        FileUnreadable: They cannot be read, or would lead out of the folder.
    """
    place = _place(folder, batch_id)
    try:
        found = json.loads(place.read_text())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileUnreadable(f"{place} cannot be read: {files.reason(error)}.", path=str(place)) from None
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) and _is_plain(one) for one in found):
        raise FileUnreadable(f"{place} is damaged; delete it to have files named by their numbers.", path=str(place))
    return found


def drop(folder: Path, batch_id: str) -> None:
    """Forget the names, as nothing is left to do.

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
