"""Reads a multipart form part by part as it arrives: type by content, bytes counted on the way, pixels by the header.

A field that is empty counts as absent: browsers and form libraries send every field of a form, filled in or not.
FastAPI would parse the whole form, of any size, before the first line of a handler runs; here a wrong file is known
by its first bytes, and no more than the limits is ever held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from facefleet.assignments import SOURCE_ROLES
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import RequestError, UploadMissing
from facefleet.gateway.intake.consent import CONSENT_TEXTS
from facefleet.gateway.intake.photos import Photo
from facefleet.gateway.intake.webhooks import WEBHOOK_TEXTS
from facefleet.media.sniff import Limits, check_arriving, sniff

MAX_TEXT_BYTES = 16_384
_MAX_EMPTY = 8  # parts of one name


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form as it arrived: one value of one field.

    Attributes:
        name: The field.
        number: How many parts of this name came before it.
        content: A photo, or the text of a text field.
    """

    name: str
    number: int
    content: Photo | str


@dataclass(frozen=True, slots=True)
class Fields:
    """Which fields a form may have, and how often each.

    Attributes:
        photos: Most parts of each field that holds photos.
        texts: Most parts of each field that holds text.
        needed: Photos without which there is nothing to do.
    """

    photos: Mapping[str, int]
    texts: Mapping[str, int]
    needed: tuple[str, ...] = ()

    def most_parts(self, name: str) -> int:
        """How often a field may be there; 0: there is none of this name."""
        return self.photos.get(name, self.texts.get(name, 0))

    @property
    def text_bytes(self) -> int:
        """Most bytes that the texts of a form have together."""
        return sum(self.texts.values()) * MAX_TEXT_BYTES


FUSION = Fields(
    photos={"source": len(SOURCE_ROLES), "target": 1},
    texts={"options": 1, "template_id": 1, **CONSENT_TEXTS, **WEBHOOK_TEXTS},
    needed=("source",),
)


P = TypeVar("P", covariant=True)


@dataclass(frozen=True, slots=True)
class Form(Generic[P]):
    """A whole form: photos by role, and the text fields that were sent."""

    photos: Mapping[str, P]
    texts: Mapping[str, str]

    @property
    def sources(self) -> int:
        """How many source photos there are."""
        return sum(role in SOURCE_ROLES for role in self.photos)


async def read_form(content_type: str, stream: AsyncIterator[bytes], limits: Limits, fields: Fields) -> Form[Photo]:
    """Read a form of which a request may hold everything at once.

    Args:
        content_type: The request's header.
        stream: The body.
        limits: For each photo.
        fields: What it may hold.

    Raises:
        RequestError: Not a multipart form, damaged, or with a field that is unknown or there too often.
        UploadMissing: A photo that is needed is not there.
        ImageError: A photo cannot be used.
    """
    photos, texts = dict[str, Photo](), dict[str, str]()
    async for part in read_parts(content_type, stream, limits, fields):
        if isinstance(part.content, str):
            texts[part.name] = part.content
        else:
            photos[_role(part)] = part.content
    for name in fields.needed:
        if name not in photos:
            raise missing(name)
    return Form(photos, texts)


async def read_parts(
    content_type: str, stream: AsyncIterator[bytes], limits: Limits, fields: Fields
) -> AsyncIterator[Part]:
    """Read a form part by part; only the one that is arriving is held. Arguments and errors are those of a form."""
    reader = _Reader(_boundary(content_type, fields), limits, fields)
    async for chunk in stream:
        try:
            parts = reader.feed(chunk)
        except FacefleetError:
            await drop(stream)
            raise
        for part in parts:
            yield part
    reader.finish()


async def drop(stream: AsyncIterator[bytes]) -> None:
    """Read the rest and forget it: an answer in the middle of an upload would reach few clients."""
    async for _ in stream:
        pass


def missing(name: str) -> UploadMissing:
    """The refusal of a form without this photo."""
    return UploadMissing(f"The field {name} is missing or empty; it holds a photo.", field=name)


def _role(part: Part) -> str:
    """The role of a photo: its field, and of several sources each has its own."""
    return SOURCE_ROLES[part.number] if part.name == SOURCE_ROLES[0] else part.name


def _boundary(content_type: str, fields: Fields) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        names = ", ".join([*fields.photos, *fields.texts])
        raise RequestError(
            f"Send a multipart/form-data body, or JSON where it is taken; a form's fields are {names}.",
            header="content-type",
        )
    return bytes(boundary)


class _Reader:
    """Gathers the parts of a form in the callbacks of the push parser."""

    def __init__(self, boundary: bytes, limits: Limits, fields: Fields) -> None:
        self._limits = limits
        self._fields = fields
        self._counts: Counter[str] = Counter()
        self._empty: Counter[str] = Counter()
        self._done: list[Part] = []
        self._name = ""
        self._content = bytearray()
        self._header = b""
        self._disposition = b""
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError:
            raise RequestError("The multipart boundary is longer than 256 characters.", header="content-type") from None

    def feed(self, chunk: bytes) -> list[Part]:
        """Parse the next bytes of the body; gives the parts that end in them."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise RequestError("The multipart body is damaged; its boundary or a part's headers are wrong.") from None
        done, self._done = self._done, []
        return done

    def finish(self) -> None:
        """Check that the form was complete when the body ended."""
        if not self._ended:
            raise RequestError("The multipart body ends before its closing boundary.")

    def _photo(self) -> Photo | None:
        data = bytes(self._content)
        return Photo(data, sniff(data, self._limits)) if data else None

    def _text(self) -> str | None:
        try:
            return self._content.decode() or None
        except UnicodeDecodeError:
            raise RequestError(f"The field {self._name} is not UTF-8 text.") from None

    def _on_part_begin(self) -> None:
        self._name, self._header, self._disposition = "", b"", b""
        self._content = bytearray()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition += data[start:end]

    def _on_header_end(self) -> None:
        self._header = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        most = self._fields.most_parts(name)
        if not most:
            known = [*self._fields.photos, *self._fields.texts]
            raise RequestError(f"There is no field {name[:64]!r} here.", field=name[:64], known=known)
        if self._counts[name] >= most:
            words = "twice" if most == 1 else f"more than {most} times"
            raise RequestError(f"The field {name} is there {words}.", field=name)
        self._name = name
        self._counts[name] += 1

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        before = len(self._content)
        self._content += data[start:end]
        with self._naming_field():
            if self._name in self._fields.texts:
                if len(self._content) > MAX_TEXT_BYTES:
                    raise RequestError(f"The field {self._name} is over {MAX_TEXT_BYTES:,} bytes.")
                return
            check_arriving(self._content, before, self._limits)

    def _on_part_end(self) -> None:
        with self._naming_field():
            content = self._text() if self._name in self._fields.texts else self._photo()
            self._refuse_gap(empty=content is None)
        if content is None:
            self._counts[self._name] -= 1
        else:
            self._done.append(Part(self._name, self._number, content))
        self._content = bytearray()

    def _refuse_gap(self, *, empty: bool) -> None:
        """An empty part counts as absent, but not beside others of its name: their numbers would shift."""
        if empty:
            self._empty[self._name] += 1
            beside = self._number > 0
        else:
            beside = self._empty[self._name] > 0 and self._fields.most_parts(self._name) > 1
        if not beside and self._empty[self._name] <= _MAX_EMPTY:
            return
        if self._name in self._fields.photos:
            raise missing(self._name)
        raise RequestError(f"The field {self._name} is empty in one of its places.")

    @contextmanager
    def _naming_field(self) -> Iterator[None]:
        """Add to an error which field it is about, and which part of several."""
        try:
            yield
        except FacefleetError as error:
            error.detail["field"] = self._name
            if self._fields.most_parts(self._name) > 1:
                error.detail["number"] = self._number
            raise

    @property
    def _number(self) -> int:
        return self._counts[self._name] - 1

    def _on_end(self) -> None:
        self._ended = True
