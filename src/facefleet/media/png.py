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
    size: tuple[int, int] | None = None
    blocks: list[bytes] = []
    frames = _FrameCount()
    for part in png_chunks(data):
        if size is None:
            if part.name != b"IHDR":
                break
            size = struct.unpack_from(">II", data, part.start)
        elif part.name in _FRAME_CHUNKS:
            frames.take(data, part)
        elif part.name == b"eXIf" and has_right_check_sum(data, part):
            blocks.append(part.of(data))
    if size is None:
        raise ImageDecodeFailed("The PNG file does not start with its IHDR chunk.")
    if frames.count > 1:
        raise ImageAnimated("The PNG file is animated; send a single frame.")
    return *size, orientation_of(blocks)


_FRAME_CHUNKS = frozenset({b"acTL", b"fcTL", b"IDAT"})


class _FrameCount:
    """Counts the frames of an animation: as many as the file says or has, whichever is more.

    It is told of before the pixels or not at all (PNG, third edition, section 11.3.6.1).
    """

    def __init__(self) -> None:
        self._told = 0
        self._controls = 0
        self._pixels = False

    def take(self, data: bytes, part: Part) -> None:
        """The next of its chunks."""
        if part.name == b"fcTL":
            self._controls += 1
        elif part.name == b"IDAT":
            self._pixels = True
        elif part.length == 8 and not self._pixels:
            self._told = max(self._told, struct.unpack_from(">I", data, part.start)[0])

    @property
    def count(self) -> int:
        """0 where the photo is no animation."""
        return max(self._told, self._controls) if self._told else 0


def is_whole_png(data: bytes) -> bool:
    """Whether the last chunk is there."""
    return any(part.name == b"IEND" and part.start + 4 <= len(data) for part in png_chunks(data))


def frame_of_animation(data: bytes) -> Part | None:
    """The ``fcTL`` chunk of the one frame of an animation that browsers show instead of the pixels of ``IDAT``.

    None where those are the photo: it is no animation, or they are its frame (PNG, third edition, section 11.3.6).
    """
    told, controls = False, []
    for part in png_chunks(data):
        if part.name == b"acTL" and part.length == 8:
            told = told or any(data[part.start : part.start + 4])
        elif part.name == b"fcTL":
            controls.append(part)
        elif part.name == b"IDAT" and (not told or controls):
            return None
    return controls[0] if controls and controls[0].length == _CONTROL_BYTES else None


_CONTROL_BYTES = 26
