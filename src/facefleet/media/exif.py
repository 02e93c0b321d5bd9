"""Reads the orientation out of EXIF blocks (TIFF 6.0, section 2); of several, the first that tells one counts."""

from __future__ import annotations

import struct
from collections.abc import Iterable

UPRIGHT = 1
_PREFIX = b"Exif\0"  # and a byte of padding, zero by the standard
_TAG = 0x0112
_LONG = 4  # field type of 32 bits; the standard wants 16
_ORIENTATIONS = range(1, 9)


def is_exif(content: bytes) -> bool:
    """Whether the content of a JPEG segment is an EXIF block."""
    return content.startswith(_PREFIX)


def orientation_of(blocks: Iterable[bytes]) -> int:
    """The orientation of a photo, 1 to 8, as viewers see it.

    Args:
        blocks: EXIF blocks in the order of the file, each with or without its prefix.

    Returns:
        What the first block with a valid orientation says; 1 where none has one. A broken block is passed over: it is
        worth no refusal.
    """
    return next((told for told in map(_orientation, blocks) if told is not None), UPRIGHT)


def _orientation(block: bytes) -> int | None:
    tiff = block[len(_PREFIX) + 1 :] if is_exif(block) else block
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        (ifd,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, ifd)
        for entry in range(ifd + 2, ifd + 2 + 12 * count, 12):
            tag, field_type = struct.unpack_from(f"{order}HH", tiff, entry)
            if tag == _TAG:
                (value,) = struct.unpack_from(f"{order}{'I' if field_type == _LONG else 'H'}", tiff, entry + 8)
                return value if value in _ORIENTATIONS else None
    except struct.error:
        return None
    return None
