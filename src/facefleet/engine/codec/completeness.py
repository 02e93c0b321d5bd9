"""Makes a JPEG as decoders like it: nothing between its segments, an end marker, and all of its pixels there.

Decoders fill gaps with grey and say nothing, or refuse a photo that lacks nothing but its last two bytes.
"""

from __future__ import annotations

import struct
import zlib
from random import Random

from facefleet.engine.codec.pillow import UNREADABLE, open_photo
from facefleet.engine.memory import require
from facefleet.media.jpeg import read_scans
from facefleet.media.parts import JPEG_SCAN, jpeg_segments
from facefleet.media.sniff import Header, ImageType, damaged

_END = b"\xff\xd9"
_FILLERS = (b"", *(Random(seed).randbytes(8192).replace(b"\xff", b"\0") for seed in (1, 2)))  # noqa: S311 - no secret
_PROBE_BYTES = 8  # a pixel


def mended_jpeg(data: bytes, header: Header) -> bytes:
    """The same photo with nothing between its segments and with an end marker; most files are that already.

    Args:
        data: A JPEG whose header has been read.
        header: Of the file.

    Raises:
        ImageDecodeFailed: It has no end marker, and pixels are missing.
    """
    scans = read_scans(data)
    if not scans.closed:
        data = _without_padding(data[: scans.end])
        if scans.damage or _lacks_pixels(data, header):
            raise damaged(ImageType.JPEG, scans.damage or "its last rows are missing")
        data += _END
    return _tidied(data)


def _without_padding(data: bytes) -> bytes:
    """Without the zeros that fill a file which was cut, and without half an end marker."""
    bare = data.rstrip(b"\0")
    if not bare.endswith(b"\xff"):
        return bare
    return bare + b"\0" if len(bare) < len(data) else bare[:-1]


def _lacks_pixels(data: bytes, header: Header) -> bool:
    """Whether bits behind the last ones would still become pixels: in a whole photo they change nothing."""
    require(header.width * header.height * _PROBE_BYTES)
    return len({_check_sum(data + filler + _END) for filler in _FILLERS}) > 1


def _check_sum(data: bytes) -> int:
    """Of the pixels; Pillow prints nothing where OpenCV would complain of the filler."""
    try:
        with open_photo(data, ImageType.JPEG) as photo:
            photo.draft("YCbCr", photo.size)
            return zlib.crc32(photo.tobytes())
    except UNREADABLE:
        raise damaged(ImageType.JPEG, "its pixels cannot be read") from None


def _tidied(data: bytes) -> bytes:
    kept, at, tidy = [data[:2]], 2, True
    for part in jpeg_segments(data):
        head = part.start - 4
        stored = int.from_bytes(data[part.start - 2 : part.start], "big")
        tidy = tidy and stored == part.length + 2 and not data[at:head].strip(b"\xff")
        if part.name == JPEG_SCAN:
            kept.append(data[head:])
        else:
            kept.append(b"\xff" + part.name + struct.pack(">H", part.length + 2) + part.of(data))
        at = part.end
    return data if tidy else b"".join(kept)
