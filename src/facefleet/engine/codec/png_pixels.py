"""Reduces a PNG to what makes its pixels, unpacked no further than its header promises.

libpng unpacks texts and profiles, and pixel data to its end even where the photo is full long before: a file of 1 MB
can keep it busy for seconds. So the pixels are unpacked here with a bound and handed on stored, which costs a decoder
no more than a copy; in all a quarter of the time of a PNG.
"""

from __future__ import annotations

import struct
import zlib

from facefleet.media.parts import PNG_SIGNATURE, Part, has_right_check_sum, png_chunks
from facefleet.media.sniff import ImageType, damaged

GREY, GREY_ALPHA = 0, 4  # colour types
_CHANNELS = {GREY: 1, 2: 3, 3: 1, GREY_ALPHA: 2, 6: 4}
_DEPTHS = (1, 2, 4, 8, 16)
_BEFORE_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS"})
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7


def bare_png(data: bytes, frame_size: tuple[int, int] | None = None) -> bytes:
    """The same pixels without anything else.

    Args:
        data: A PNG whose header has been read and whose last chunk is there.
        frame_size: Width and height, px, of the frame of an animation that is wanted instead.

    Raises:
        ImageDecodeFailed: The pixels cannot be unpacked, or are too few.
    """
    chunks = list(png_chunks(data))
    header = data[16:29] if frame_size is None else struct.pack(">II", *frame_size) + data[24:29]
    if frame_size is None:
        packed = b"".join(_checked(data, part) for part in chunks if part.name == b"IDAT")
    else:  # each piece has a number of four bytes before it
        packed = b"".join(_checked(data, part)[4:] for part in chunks if part.name == b"fdAT")
    stored = zlib.compress(_unpacked(packed, _raw_bytes(header)), 0)
    pixels = [_chunk(b"IDAT", stored), _chunk(b"IEND", b"")]
    return b"".join([PNG_SIGNATURE, *_before_pixels(data, chunks, header, told=frame_size is None), *pixels])


def _before_pixels(data: bytes, chunks: list[Part], header: bytes, *, told: bool) -> list[bytes]:
    """Header, palette and transparent colours; the header as it stands where it is the photo's own."""
    kept = [data[part.start - 8 : part.end + 4] for part in chunks if part.name in _BEFORE_PIXELS]
    return kept if told else [_chunk(b"IHDR", header), *kept[1:]]


def _unpacked(packed: bytes, count: int) -> bytes:
    try:
        raw = zlib.decompressobj().decompress(packed, count)
    except zlib.error:
        raise damaged(ImageType.PNG, "its pixels cannot be unpacked") from None
    if len(raw) < count:
        raise damaged(ImageType.PNG, "it has too few pixels")
    return raw


def _raw_bytes(header: bytes) -> int:
    """Bytes of all filtered rows (PNG, third edition, sections 7.2 and 8)."""
    width, height, depth, colour, _, _, laced = struct.unpack(">IIBBBBB", header)
    if colour not in _CHANNELS or depth not in _DEPTHS:
        raise damaged(ImageType.PNG, f"its pixels are of {depth} bits and colour type {colour}")
    bits = depth * _CHANNELS[colour]
    if not laced:
        return _rows(width, height, bits)
    return sum(
        _rows((width - x + across - 1) // across, (height - y + down - 1) // down, bits)
        for x, y, across, down in _PASSES
    )


def _rows(width: int, height: int, bits: int) -> int:
    return height * (1 + (width * bits + 7) // 8) if width > 0 else 0


def _checked(data: bytes, part: Part) -> bytes:
    if not has_right_check_sum(data, part):
        raise damaged(ImageType.PNG, "its pixels have a wrong check sum")
    return part.of(data)


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return b"".join([struct.pack(">I", len(content)), name, content, struct.pack(">I", check)])
