"""Iterates over the segments or chunks of a photo file by their lengths; their content is parsed elsewhere."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from facefleet.errors.input import ImageDecodeFailed

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_END, JPEG_SCAN = b"\xd9", b"\xda"
_CHUNK_HEAD = struct.Struct(">I4s")
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_STANDALONE_MARKERS = frozenset(bytes([code]) for code in (0x01, *range(0xD0, 0xD8)))
_MAX_PARTS = 65_536  # segments or chunks; a real photo of 20 MB has a few thousand
_MAX_STRAY = 1_000_000  # bytes between the segments of a JPEG, in all


class Part(NamedTuple):
    """One segment, chunk or box.

    Attributes:
        name: A JPEG marker's second byte, or four letters.
        start: Offset of its content in the file.
        length: Length of its content by the file, in bytes; it may exceed the file.
    """

    name: bytes
    start: int
    length: int

    @property
    def end(self) -> int:
        """Of its content in the file."""
        return self.start + self.length

    def of(self, data: bytes) -> bytes:
        """Its content, as far as the file goes."""
        return data[self.start : self.end]


def jpeg_segments(data: bytes, at: int = 2) -> Iterator[Part]:
    """Every segment up to the first scan or the end marker, that one included (ITU-T T.81, annex B).

    As the decoders of all viewers do it, bytes between two segments are passed over up to the next marker, and a
    length that is too short to count itself is none: devices write both.

    Args:
        data: A JPEG file.
        at: Where to start: behind the signature, or behind the pixels of a scan.

    Raises:
        ImageDecodeFailed: The file ends first, or has too many segments, or too much between them.
    """
    stray = 0
    for _ in _counted():
        marker = _MARKER.search(data, at, at + _MAX_STRAY - stray)
        if marker is None:
            raise ImageDecodeFailed("The JPEG file is damaged: there is no marker where its header goes on.")
        stray += marker.start() - at
        at, name = marker.end(), marker[0][1:]
        if name in _STANDALONE_MARKERS:
            continue
        if name != JPEG_END and at + 2 > len(data):
            raise ImageDecodeFailed("The JPEG file ends inside its header.")
        length = 2 if name == JPEG_END else max(2, int.from_bytes(data[at : at + 2], "big"))
        yield Part(name, at + 2, length - 2)
        if name in (JPEG_END, JPEG_SCAN):
            return
        at += length


def png_chunks(data: bytes) -> Iterator[Part]:
    """Every chunk up to ``IEND``, or as far as the file goes (PNG, third edition, section 5.3)."""
    at, last = len(PNG_SIGNATURE), len(data) - 8
    for _ in _counted():
        if at > last:
            return
        length, name = _CHUNK_HEAD.unpack_from(data, at)
        yield Part(name, at + 8, length)
        if name == b"IEND":
            return
        at += 12 + length


def has_right_check_sum(data: bytes, chunk: Part) -> bool:
    """Whether a PNG chunk is there in full and as it was written."""
    stored = data[chunk.end : chunk.end + 4]
    return len(stored) == 4 and zlib.crc32(chunk.of(data), zlib.crc32(chunk.name)) == int.from_bytes(stored, "big")


def webp_chunks(data: bytes) -> Iterator[Part]:
    """Every chunk of the RIFF list, or as far as the file goes (RFC 9649)."""
    yield from riff_chunks(data, 12, min(len(data), 8 + int.from_bytes(data[4:8], "little")))


def riff_chunks(data: bytes, at: int, end: int) -> Iterator[Part]:
    """Every chunk between two places of a file."""
    counted = _counted()
    while at + 8 <= end:
        next(counted)
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield Part(data[at : at + 4], at + 8, length)
        at += 8 + length + (length & 1)


def boxes(data: bytes, at: int = 0, end: int | None = None) -> Iterator[Part]:
    """Every box between two places of an ISO base media file (ISO/IEC 14496-12, section 4.2), or as far as it goes."""
    end = len(data) if end is None else min(end, len(data))
    counted = _counted()
    while at + 8 <= end:
        next(counted)
        length, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            if at + 16 > end:
                return
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        elif length == 0:  # up to the end of the file
            length = end - at
        if length < head:
            raise ImageDecodeFailed("The image file is damaged: a box is shorter than its own head.")
        yield Part(name, at + head, length - head)
        at += length


def _counted() -> Iterator[int]:
    """Count parts and raise after too many, so that a file of tiny parts takes no more time than a real photo."""
    yield from range(_MAX_PARTS)
    raise ImageDecodeFailed(f"The image file is damaged: it has more than {_MAX_PARTS:,} parts.")
