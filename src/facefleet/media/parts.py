"""Iterates over the segments or chunks of a photo file by their lengths; their content is parsed elsewhere."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from facefleet.errors.input import ImageDecodeFailed

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_END, JPEG_SCAN = b"\xd9", b"\xda"
_STANDALONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_MAX_PARTS = 65_536  # segments or chunks; a real photo of 20 MB has a few thousand


class Part(NamedTuple):
    """One segment or chunk.

    Attributes:
        name: A JPEG marker's second byte, or four letters.
        start: Offset of its content in the file.
        length: Length of its content by the file, in bytes; it may exceed the file.
    """

    name: bytes
    start: int
    length: int


def jpeg_segments(data: bytes) -> Iterator[Part]:
    """Every segment up to the first scan or the end marker, that one included (ITU-T T.81, annex B).

    Raises:
        ImageDecodeFailed: There is no marker where one must be, or the file ends first.
    """
    at = 2
    for _ in _counted():
        if at + 4 > len(data):
            raise ImageDecodeFailed("The JPEG file ends inside its header.")
        if data[at] != 0xFF:
            raise ImageDecodeFailed("The JPEG file is damaged: a marker is missing in its header.")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _STANDALONE_MARKERS:
            at += 2
        else:
            name = data[at + 1 : at + 2]
            length = 2 if name == JPEG_END else int.from_bytes(data[at + 2 : at + 4], "big")
            if length < 2:
                raise ImageDecodeFailed("The JPEG file is damaged: a header segment has no length.")
            yield Part(name, at + 4, length - 2)
            if name in (JPEG_END, JPEG_SCAN):
                return
            at += 2 + length


def png_chunks(data: bytes) -> Iterator[Part]:
    """Every chunk up to ``IEND``, or as far as the file goes (PNG, third edition, section 5.3)."""
    at = len(PNG_SIGNATURE)
    counted = _counted()
    while at + 8 <= len(data):
        next(counted)
        (length,) = struct.unpack_from(">I", data, at)
        name = data[at + 4 : at + 8]
        yield Part(name, at + 8, length)
        if name == b"IEND":
            return
        at += 12 + length


def webp_chunks(data: bytes) -> Iterator[Part]:
    """Every chunk of the RIFF list, or as far as the file goes (RFC 9649)."""
    at = 12
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    counted = _counted()
    while at + 8 <= end:
        next(counted)
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield Part(data[at : at + 4], at + 8, length)
        at += 8 + length + (length & 1)


def _counted() -> Iterator[int]:
    """Count parts and raise after too many, so that a file of tiny parts takes no more time than a real photo."""
    yield from range(_MAX_PARTS)
    raise ImageDecodeFailed(f"The image file is damaged: it has more than {_MAX_PARTS:,} parts.")
