"""Reads size, orientation and the count of frames of a PNG from its chunks, and tells whether its end is there."""

from __future__ import annotations

import struct

from facefleet.errors.input import ImageAnimated, ImageDecodeFailed
from facefleet.media.exif import orientation_of
from facefleet.media.parts import Part, has_right_check_sum, png_chunks


def read_png(data: bytes) -> tuple[int, int, int]:
    """Width and height as stored, px, and the orientation.

    Raises:
        ImageAnimated: It has more than one frame.
        ImageDecodeFailed: It does not start with its header.
    """
    chunks = list(png_chunks(data))
    if not chunks or chunks[0].name != b"IHDR":
        raise ImageDecodeFailed("The PNG file does not start with its IHDR chunk.")
    width, height = struct.unpack_from(">II", data, chunks[0].start)
    if _frames(data, chunks) > 1:
        raise ImageAnimated("The PNG file is animated; send a single frame.")
    blocks = (part.of(data) for part in chunks if part.name == b"eXIf" and has_right_check_sum(data, part))
    return width, height, orientation_of(blocks)


def is_whole_png(data: bytes) -> bool:
    """Whether the last chunk is there."""
    return any(part.name == b"IEND" and part.start + 4 <= len(data) for part in png_chunks(data))


def frame_of_animation(data: bytes) -> Part | None:
    """The ``fcTL`` chunk of the one frame of an animation that browsers show instead of the pixels of ``IDAT``.

    None where those are the photo: it is no animation, or they are its frame (PNG, third edition, section 11.3.6).
    """
    told, controls = False, []
    for part in png_chunks(data):
        if part.name == b"acTL":
            told = True
        elif part.name == b"fcTL":
            controls.append(part)
        elif part.name == b"IDAT" and (not told or controls):
            return None
    return controls[0] if controls and controls[0].length == _CONTROL_BYTES else None


_CONTROL_BYTES = 26


def _frames(data: bytes, chunks: list[Part]) -> int:
    """As many as the file says or has, whichever is more; an animation is told of before the pixels or not at all."""
    told = 0
    for part in chunks:
        if part.name == b"IDAT":
            break
        if part.name == b"acTL" and part.length == 8:
            told = max(told, struct.unpack_from(">I", data, part.start)[0])
    return max(told, sum(part.name == b"fcTL" for part in chunks)) if told else 0
