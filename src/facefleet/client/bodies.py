"""Writes the body of a request: a form, or JSON where one of its photos was uploaded before."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from facefleet.client.photos import Content, Files
from facefleet.client.views import Upload

_PIECE_BYTES = 65_536
_JSON_FIELDS = (
    "consent",
    "own_photo",
    "guardian",
    "options",
    "webhook_events",
)  # in a form: the JSON of a value


def body(data: Mapping[str, Any], files: Files) -> dict[str, Any]:
    """The arguments by which httpx writes a body.

    Args:
        data: The text fields of a form.
        files: Its photos; with an upload among them, all of it is written as JSON.
    """
    if any(isinstance(photo, Upload) for _, photo in files):
        return {"json": _document(data, files)}
    return {"data": data, "files": [(field, (field, photo)) for field, photo in files] or None}


def pieces(content: Content) -> Iterator[bytes]:
    """The bytes of a photo from its start, never all in memory where it is a file."""
    if isinstance(content, bytes):
        yield content
        return
    content.seek(0)
    while piece := content.read(_PIECE_BYTES):
        yield piece


def _document(data: Mapping[str, Any], files: Files) -> dict[str, Any]:
    photos: dict[str, list[dict[str, str]]] = {}
    for field, photo in files:
        photos.setdefault(field, []).append(_photo(photo))
    texts = {name: json.loads(text) if name in _JSON_FIELDS else text for name, text in data.items()}
    return texts | dict(_field(name, several) for name, several in photos.items())


def _field(name: str, photos: Sequence[dict[str, str]]) -> tuple[str, object]:
    return (name, photos[0]) if len(photos) == 1 else (f"{name}s", photos)


def _photo(photo: Content | Upload) -> dict[str, str]:
    if isinstance(photo, Upload):
        return {"upload": photo.id}
    return {"data": base64.b64encode(b"".join(pieces(photo))).decode()}
