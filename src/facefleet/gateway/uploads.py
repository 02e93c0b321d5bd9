"""Reads a multipart form part by part as it arrives: type by content, bytes counted on the way, pixels by the header.

FastAPI would parse the whole form, of any size, before the first line of a handler runs; here a wrong file is known
by its first bytes, and no more than the limits is ever held.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from facefleet.assignments import SOURCE_ROLES
from facefleet.errors import FacefleetError, RequestError, UploadMissing
from facefleet.media.sniff import HEAD_BYTES, Header, Limits, check_bytes, sniff, sniff_type

MAX_TEXT_BYTES = 16_384
PHOTOS = ("source", "target")  # fields
ROLES = (*SOURCE_ROLES, "target")  # what they become: `source` may be there several times
TEXTS = ("options", "consent", "webhook_url", "webhook_events")


@dataclass(frozen=True, slots=True)
class Photo:
    """One uploaded file and what its header says."""

    data: bytes = field(repr=False)  # neither logs nor tracebacks show a photo
    header: Header


@dataclass(frozen=True, slots=True)
class Form:
    """A whole form: photos by role, and the text fields that were sent."""

    photos: Mapping[str, Photo]
    texts: Mapping[str, str]

    @property
    def sources(self) -> int:
        """How many source photos there are."""
        return len(self.photos) - 1


async def read_form(content_type: str, stream: AsyncIterator[bytes], limits: Limits) -> Form:
    """Read the form of a fusion request.

    Args:
        content_type: The request's header.
        stream: The body.
        limits: For each photo.

    Raises:
        RequestError: Not a multipart form, damaged, or with a field that is unknown or there too often.
        UploadMissing: ``source`` or ``target`` is not there.
        ImageError: A photo cannot be used.
    """
    reader = _Reader(_boundary(content_type), limits)
    refused: FacefleetError | None = None
    async for chunk in stream:
        # After a refusal the rest is read and dropped: an answer in the middle of an upload would reach few clients.
        if refused is None:
            try:
                reader.feed(chunk)
            except FacefleetError as error:
                refused = error
    if refused is not None:
        raise refused
    return reader.finish()


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise RequestError("Send a multipart/form-data body with the fields source, target and consent.")
    return bytes(boundary)


class _Reader:
    """The push parser's callbacks and what they gather."""

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        self._limits = limits
        self._parts: dict[str, bytearray] = {}
        self._name = ""
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
                    "on_end": self._on_end,
                },
            )
        except FormParserError:
            raise RequestError("The multipart boundary is longer than 256 characters.") from None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise RequestError("The multipart body is damaged; its boundary or a part's headers are wrong.") from None

    def finish(self) -> Form:
        """The form, when the body is over."""
        if not self._ended:
            raise RequestError("The multipart body ends before its closing boundary.")
        for name in ROLES:
            if not self._parts.get(name, name not in PHOTOS):
                raise UploadMissing(f"The field {name} is missing or empty; it holds a photo.", field=name)
        photos = {role: self._photo(role) for role in ROLES if role in self._parts}
        return Form(photos, {name: self._text(name) for name in TEXTS if name in self._parts})

    def _photo(self, name: str) -> Photo:
        data = bytes(self._parts.pop(name))
        try:
            return Photo(data, sniff(data, self._limits))
        except FacefleetError as error:
            error.detail["field"] = name
            raise

    def _text(self, name: str) -> str:
        try:
            return self._parts[name].decode()
        except UnicodeDecodeError:
            raise RequestError(f"The field {name} is not UTF-8 text.", field=name) from None

    def _on_part_begin(self) -> None:
        self._name, self._header, self._disposition = "", b"", b""

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
        if name not in PHOTOS + TEXTS:
            known = [*PHOTOS, *TEXTS]
            raise RequestError(f"There is no field {name[:64]!r} here.", field=name[:64], known=known)
        self._name = self._free(name)
        self._parts[self._name] = bytearray()

    def _free(self, name: str) -> str:
        """The role of a part: of several sources each has its own."""
        roles = SOURCE_ROLES if name == SOURCE_ROLES[0] else (name,)
        for role in roles:
            if role not in self._parts:
                return role
        often = "twice" if len(roles) == 1 else f"more than {len(roles)} times"
        raise RequestError(f"The field {name} is there {often}.", field=name)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[self._name]
        unknown = len(part) < HEAD_BYTES
        part += data[start:end]
        if self._name in TEXTS:
            if len(part) > MAX_TEXT_BYTES:
                raise RequestError(f"The field {self._name} is over {MAX_TEXT_BYTES:,} bytes.", field=self._name)
            return
        try:
            check_bytes(len(part), self._limits)
            if unknown and len(part) >= HEAD_BYTES:
                sniff_type(bytes(part[:HEAD_BYTES]))
        except FacefleetError as error:
            error.detail["field"] = self._name
            raise

    def _on_end(self) -> None:
        self._ended = True
