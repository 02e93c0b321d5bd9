"""Reads the JSON body of a request for one task into the same form that a multipart body is read into.

What follows (options, consent, digests, refusals) cannot tell which of the two was sent. A photo is an object with one
member that says where it is. The body is held as a whole, so it has a limit of its own, and a large one is parsed in a
thread: nothing else of this gateway waits for it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from facefleet.assignments import SOURCE_ROLES
from facefleet.errors.input import RequestError, UploadTooLarge
from facefleet.gateway.intake.multipart import MAX_TEXT_BYTES, Fields, Form, drop, missing
from facefleet.gateway.intake.photos import Given, Photo, PhotoUrl, Place, UploadId
from facefleet.media.sniff import Limits, check_bytes, sniff
from facefleet.strict_json import JsonRefused, is_whole, parse

MEDIA_TYPE = "application/json"
PHOTO_MEMBERS = ("data", "upload", "url")
"""What the object of a photo may have: exactly one of these."""

_INLINE_BYTES = 65_536  # parsed in less time than it takes to ask a thread
_MAX_MARKS = 20_000  # commas, colons and brackets: a list of empty lists takes forty times its text in memory
_SHAPES: Mapping[str, tuple[type, str]] = {
    "consent": (bool, "true or false"),
    "own_photo": (bool, "true or false"),
    "guardian": (bool, "true or false"),
    "options": (dict, "an object"),
    "webhook_events": (list, "a list"),
}
"""Fields that are no text: their type, and its name."""


@dataclass(frozen=True, slots=True)
class JsonReader:
    """Reads JSON bodies.

    Attributes:
        limits: Of each photo.
        max_bytes: Of a body.
    """

    limits: Limits
    max_bytes: int

    async def read(self, stream: AsyncIterator[bytes], announced: int | None, fields: Fields) -> Form[Given]:
        """Read a body; photos that it names are fetched by nobody yet.

        Args:
            stream: The body.
            announced: Its length by its header, if it has one.
            fields: What it may hold.

        Raises:
            UploadTooLarge: It is over the limit.
            RequestError: It is not JSON, has a name twice, or a field that is unknown or of another type.
            UploadMissing: A photo that is needed is not there.
            ImageError: A photo cannot be used; ``field`` and ``number`` say which.
        """
        body = await self._whole(stream, announced)
        if len(body) <= _INLINE_BYTES:
            return self._form(body, fields)
        return await run_in_threadpool(self._form, body, fields)

    async def _whole(self, stream: AsyncIterator[bytes], announced: int | None) -> bytearray:
        body, fits = bytearray(), (announced or 0) <= self.max_bytes
        if fits:
            async for chunk in stream:
                body += chunk
                if len(body) > self.max_bytes:
                    fits = False
                    break
        if not fits:
            await drop(stream)
            raise UploadTooLarge(
                f"A JSON body may have {self.max_bytes:,} bytes; send larger photos as a form.",
                max_bytes=self.max_bytes,
            )  # fmt: skip
        return body

    def _form(self, body: bytearray, fields: Fields) -> Form[Given]:
        document = _parse(body)
        body.clear()  # the texts of the photos are copies of it
        photos = dict[str, Given]()
        for name, most in fields.photos.items():
            for number, given in enumerate(_given(document, name, most)):
                place = Place(name, number if most > 1 else None)
                with place.named():
                    role = SOURCE_ROLES[number] if name == SOURCE_ROLES[0] else name
                    photos[role] = self._photo(place, given)
        texts = {name: _text(name, document.pop(name)) for name in fields.texts if name in document}
        if document:
            unknown = next(iter(document))
            known = [*fields.photos, *_plurals(fields), *fields.texts]
            raise RequestError(f"There is no field {unknown[:64]!r} here.", field=unknown[:64], known=known)
        for name in fields.needed:
            if name not in photos:
                raise missing(name)
        return Form(photos, texts)

    def _photo(self, place: Place, given: object) -> Given:
        name = place.name
        if not isinstance(given, dict) or len(given) != 1 or not given.keys() <= set(PHOTO_MEMBERS):
            raise RequestError(f"{name} is a photo: an object with {' or '.join(PHOTO_MEMBERS)}.")
        if "url" in given:
            return PhotoUrl(place, _text("url", given["url"]))
        if "upload" in given:
            return UploadId(place, _text(f"upload of {name}", given["upload"]))
        data = self._decoded(name, given["data"])
        if not data:
            raise missing(name)
        return Photo(data, sniff(data, self.limits))

    def _decoded(self, name: str, text: object) -> bytes:
        if not isinstance(text, str):
            raise RequestError(f"data of {name} is a text: the file in base64.")
        check_bytes(len(text) // 4 * 3 - 2, self.limits)  # what it has at least, before it is decoded
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise RequestError(f"data of {name} is not base64 (RFC 4648, section 4, with its padding).") from None


def is_json(content_type: str) -> bool:
    """Whether a body is JSON by its header."""
    return content_type.partition(";")[0].strip().lower() == MEDIA_TYPE


def _parse(body: bytearray) -> dict[str, Any]:
    """The object of a body.

    Raises:
        RequestError: It is not strict JSON, not an object, or has too many values.
    """
    if sum(body.count(mark) for mark in b",:[{") > _MAX_MARKS:
        raise RequestError("The JSON body has too many values.")
    try:
        document = parse(body)
    except JsonRefused as error:
        named = {"field": error.name} if error.name else {}
        raise RequestError(f"The body {error}.", **named) from None
    if not isinstance(document, dict):
        raise RequestError("The JSON body is an object; its members are the fields of the form.")
    return document


def _given(document: dict[str, Any], name: str, most: int) -> list[object]:
    """The photos of a field: one by its name, several by its plural."""
    one = [document.pop(name)] if name in document else []
    if most == 1 or f"{name}s" not in document:
        return one
    many = document.pop(f"{name}s")
    if one:
        raise RequestError(f"Send either {name} or {name}s, not both.", field=name)
    if not isinstance(many, list) or not 0 < len(many) <= most:
        raise RequestError(f"{name}s is a list of 1 to {most} photos.", field=name)
    return many


def _plurals(fields: Fields) -> list[str]:
    return [f"{name}s" for name, most in fields.photos.items() if most > 1]


def _text(name: str, value: object) -> str:
    """A field as the text that a form would have.

    Raises:
        RequestError: It is of another type, or too long.
    """
    shape, words = _SHAPES.get(name, (str, "a text"))
    if not isinstance(value, shape):
        raise RequestError(f"{name} is {words}.", field=name)
    text = value if isinstance(value, str) else json.dumps(value)
    if not is_whole(text):
        raise RequestError(f"The field {name} has half of a character.", field=name)
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise RequestError(f"The field {name} is over {MAX_TEXT_BYTES:,} bytes.", field=name)
    return text
