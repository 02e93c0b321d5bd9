"""Reads size, orientation and the count of frames of a WebP from its chunks, and tells whether its end is there."""

from __future__ import annotations

import struct

from facefleet.errors.input import ImageAnimated, ImageDecodeFailed
from facefleet.media.exif import orientation_of
from facefleet.media.parts import Part, webp_chunks

FRAME_HEAD = 16  # bytes of an ``ANMF`` chunk before the chunks of its picture
_ANIMATED = 0x02


def read_webp(data: bytes) -> tuple[int, int, int]:
    """Width and height as stored, px, and the orientation.

    Raises:
        ImageAnimated: It has more than one frame.
        ImageDecodeFailed: It has no picture.
    """
    size: tuple[int, int] | None = None
    blocks, frames = [], 0
    for part in webp_chunks(data):
        if part.name == b"VP8X" and size is None:
            size = uint24(data, part.start + 4) + 1, uint24(data, part.start + 7) + 1
        elif part.name in _PICTURES and size is None:
            size = _PICTURES[part.name](data, part)
        elif part.name == b"ANMF":
            frames += 1
        elif part.name == b"EXIF":
            blocks.append(part.of(data))
    if frames > 1:
        raise ImageAnimated("The WebP file is animated; send a single frame.")
    if size is None:
        raise ImageDecodeFailed("The WebP file has no image chunk.")
    return *size, orientation_of(blocks)


def is_whole_webp(data: bytes) -> bool:
    """Whether the file is as long as its head says."""
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def frame_of_animation(data: bytes) -> Part | None:
    """The ``ANMF`` chunk of an animation; none in a still picture."""
    chunks = list(webp_chunks(data))
    if not chunks or chunks[0].name != b"VP8X" or not data[chunks[0].start] & _ANIMATED:
        return None
    return next((part for part in chunks if part.name == b"ANMF"), None)


def uint24(data: bytes, at: int) -> int:
    """Three bytes, the lowest first."""
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16


def _lossy_size(data: bytes, part: Part) -> tuple[int, int]:
    if data[part.start + 3 : part.start + 6] != b"\x9d\x01\x2a":
        raise ImageDecodeFailed("The WebP file is damaged: its key frame has no start code.")
    width, height = struct.unpack_from("<HH", data, part.start + 6)
    return width & 0x3FFF, height & 0x3FFF


def _lossless_size(data: bytes, part: Part) -> tuple[int, int]:
    (bits,) = struct.unpack_from("<I", data, part.start + 1)
    return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1


_PICTURES = {b"VP8 ": _lossy_size, b"VP8L": _lossless_size}
