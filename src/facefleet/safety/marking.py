"""Marks pictures as generated, and makes the only type that may be stored as a result or written to a user's disk.

The mark is GB 45438-2025's JSON of seven string fields, as the XMP property ``TC260:AIGC`` (TC260-PG-20258A). The
packet goes where the XMP specification part 3 puts it: JPEG APP1, PNG iTXt, WebP ``XMP `` chunk. No pixel changes.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import struct
import zlib
from dataclasses import InitVar, dataclass, field
from typing import final

from facefleet.engine.types import Picture
from facefleet.errors.input import ImageDecodeFailed
from facefleet.media.sniff import ImageType

IS_GENERATED = "1"
_NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = b"XML:com.adobe.xmp"
_PNG_AFTER_IHDR = 8 + 25
_VP8X_XMP, _VP8X_ALPHA = 0x04, 0x10
_RECORD = re.compile(rb'TC260:AIGC="([^"]*)"')
_SEAL = object()  # whoever has it may make a MarkedPicture: this module alone


@final
@dataclass(frozen=True, slots=True)
class MarkedPicture:
    """An encoded photo that carries its marks; only ``mark`` makes one.

    Attributes:
        image: File.
        media_type: Type of the file.

    Raises:
        TypeError: Other code tried to make one.
    """

    image: bytes = field(repr=False)
    media_type: ImageType
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only safety.marking.mark makes a MarkedPicture")


@dataclass(frozen=True, slots=True)
class AigcRecord:
    """What the mark says.

    Attributes:
        producer: ``ContentProducer``: the provider's name or code.
        content_id: ``ProduceID``: the producer's unique id of the content.
    """

    producer: str
    content_id: str

    @property
    def integrity(self) -> str:
        """``ReservedCode1``: SHA-256 over label, producer and content id, so that a changed field shows."""
        return hashlib.sha256(f"{IS_GENERATED}\n{self.producer}\n{self.content_id}".encode()).hexdigest()

    def to_json(self) -> str:
        """The seven fields as JSON text."""
        fields = {
            "Label": IS_GENERATED,
            "ContentProducer": self.producer,
            "ProduceID": self.content_id,
            "ReservedCode1": self.integrity,
            "ContentPropagator": "",
            "PropagateID": "",
            "ReservedCode2": "",
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def mark(picture: Picture, *, producer: str, content_id: str) -> MarkedPicture:
    """Write the marks into a picture.

    Args:
        picture: As the engine encoded it, without an XMP packet.
        producer: Name or code of the provider.
        content_id: The producer's id of this content.

    Raises:
        ImageDecodeFailed: The file has not the structure of its type.
    """
    packet = _packet(AigcRecord(producer, content_id))
    write = {ImageType.JPEG: _jpeg, ImageType.PNG: _png, ImageType.WEBP: _webp}[picture.media_type]
    try:
        marked = write(picture.image, packet)
    except (struct.error, IndexError):
        raise ImageDecodeFailed("The encoded image has no room for its marks.") from None
    return MarkedPicture(marked, picture.media_type, _SEAL)


def read_mark(image: bytes) -> dict[str, str] | None:
    """The seven fields of a file's mark; none where it carries none."""
    match = _RECORD.search(image)
    if match is None:
        return None
    record: dict[str, str] = json.loads(html.unescape(match[1].decode()))
    return record


def _packet(record: AigcRecord) -> bytes:
    value = html.escape(record.to_json(), quote=True)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:TC260="{_NAMESPACE}" TC260:AIGC="{value}"/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _jpeg(image: bytes, packet: bytes) -> bytes:
    at = 2
    if image[at : at + 2] == b"\xff\xe0":  # JFIF wants to be first
        (length,) = struct.unpack_from(">H", image, at + 2)
        at += 2 + length
    body = _JPEG_XMP + packet
    return b"".join([image[:at], b"\xff\xe1", struct.pack(">H", len(body) + 2), body, image[at:]])


def _png(image: bytes, packet: bytes) -> bytes:
    body = _PNG_XMP + b"\0\0\0\0\0" + packet  # not compressed, no language, no translated keyword
    chunk = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", zlib.crc32(b"iTXt" + body))
    return b"".join([image[:_PNG_AFTER_IHDR], chunk, image[_PNG_AFTER_IHDR:]])


def _webp(image: bytes, packet: bytes) -> bytes:
    chunks = image[12:]
    if chunks[:4] == b"VP8X":
        flags = chunks[8] | _VP8X_XMP
        chunks = b"".join([chunks[:8], bytes([flags]), chunks[9:]])
    else:
        chunks = _vp8x(chunks) + chunks
    body = chunks + _riff(b"XMP ", packet)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _vp8x(chunks: bytes) -> bytes:
    """The extended header that a simple WebP file lacks (WebP container specification)."""
    flags = _VP8X_XMP
    if chunks[:4] == b"VP8L":
        (bits,) = struct.unpack_from("<I", chunks, 9)
        width, height = bits & 0x3FFF, bits >> 14 & 0x3FFF  # both less one, as VP8X wants them
        flags |= _VP8X_ALPHA if bits >> 28 & 1 else 0
    else:
        width, height = (value - 1 & 0x3FFF for value in struct.unpack_from("<HH", chunks, 14))
    size = width.to_bytes(3, "little") + height.to_bytes(3, "little")
    return _riff(b"VP8X", bytes([flags, 0, 0, 0]) + size)


def _riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
