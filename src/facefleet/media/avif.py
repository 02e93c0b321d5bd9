"""Reads size, orientation, colours and the count of frames of an AVIF from its boxes, without decoding.

The file is a list of boxes (ISO/IEC 14496-12); ``meta`` says which item is the photo and what is true of it (HEIF,
ISO/IEC 23008-12): its size as stored, turns and flips, colour profile. EXIF does not turn an AVIF.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from facefleet.errors.input import ImageAnimated, ImageDecodeFailed
from facefleet.media.exif import UPRIGHT
from facefleet.media.parts import Part, boxes

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
_FULL = 4  # bytes of version and flags before the content of some boxes
_TURNS = {(0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6, (0, 0): 4, (0, 1): 2, (1, 0): 5, (1, 1): 7,
          (2, 0): 2, (2, 1): 4, (3, 0): 7, (3, 1): 5}  # fmt: skip
"""Quarter turns to the left and the flip that follows (0: top to bottom, 1: left to right) → EXIF orientation."""


@dataclass(frozen=True, slots=True)
class AvifHeader:
    """What the boxes say.

    Attributes:
        width: As stored, px.
        height: As stored, px.
        largest: Pixels of the largest part that a decoder may have to unpack.
        orientation: As of EXIF, 1 to 8.
        profile: ICC profile; none where there is none.
        cicp: Colour primaries and transfer function by the code points of ITU-T H.273, where there is no profile.
    """

    width: int
    height: int
    largest: int
    orientation: int
    profile: bytes | None
    cicp: tuple[int, int] | None


def brands_of(head: bytes) -> frozenset[bytes]:
    """The brands in the first box of an ISO base media file; none where the file is another."""
    if head[4:8] != b"ftyp":
        return frozenset()
    end = min(len(head), int.from_bytes(head[:4], "big"))
    return frozenset({head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))})


def read_avif(data: bytes) -> AvifHeader:
    """Read the boxes of an AVIF.

    Raises:
        ImageAnimated: It has more than one frame.
        ImageDecodeFailed: A box is missing or damaged.
    """
    if any(count > 1 for count in _sample_counts(data)):
        raise ImageAnimated("The AVIF file is animated; send a single frame.")
    meta = _only(boxes(data), b"meta")
    parts = {part.name: part for part in boxes(data, meta.start + _FULL, meta.end)}
    if not {b"pitm", b"iprp"} <= set(parts):
        raise ImageDecodeFailed("The AVIF file does not say which of its items is the photo.")
    listed = {part.name: part for part in boxes(data, parts[b"iprp"].start, parts[b"iprp"].end)}
    if not {b"ipco", b"ipma"} <= set(listed):
        raise ImageDecodeFailed("The AVIF file does not say how large it is.")
    properties = list(boxes(data, listed[b"ipco"].start, listed[b"ipco"].end))
    wanted = _indices(data, listed[b"ipma"], _primary(data, parts[b"pitm"]))
    return _header(data, properties, [properties[n - 1] for n in wanted if 0 < n <= len(properties)])


def is_whole_avif(data: bytes) -> bool:
    """Whether every box reaches its end, and one with pixels is there."""
    parts = list(boxes(data))
    meta = next((part for part in parts if part.name == b"meta"), None)
    inside = boxes(data, meta.start + _FULL, meta.end) if meta else ()
    holds_pixels = any(part.name in (b"mdat", b"idat") for part in (*parts, *inside))
    return holds_pixels and all(part.end <= len(data) for part in parts)


def _header(data: bytes, properties: list[Part], own: list[Part]) -> AvifHeader:
    sizes = [_size(data, part) for part in properties if part.name == b"ispe"]
    size = next((_size(data, part) for part in own if part.name == b"ispe"), None)
    if size is None:
        raise ImageDecodeFailed("The AVIF file does not say how large it is.")
    turn = next((data[part.start] & 3 for part in own if part.name == b"irot"), 0)
    flip = next((data[part.start] & 1 for part in own if part.name == b"imir"), None)
    colours = [part.of(data) for part in own if part.name == b"colr"]
    profile = next((one[4:] for one in colours if one[:4] in (b"prof", b"rICC")), None)
    told = next((struct.unpack_from(">HH", one, 4) for one in colours if one[:4] == b"nclx"), None)
    largest = max(width * height for width, height in sizes)
    return AvifHeader(*size, largest, _TURNS.get((turn, flip), UPRIGHT), profile, None if profile else told)


def _size(data: bytes, part: Part) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, part.start + _FULL)
    return width, height


def _primary(data: bytes, box: Part) -> int:
    (number,) = struct.unpack_from(">I" if data[box.start] else ">H", data, box.start + _FULL)
    return int(number)


def _indices(data: bytes, box: Part, item: int) -> list[int]:
    """Numbers, from 1, of the properties that belong to an item."""
    wide_items, wide_indices = data[box.start] > 0, data[box.start + 3] & 1
    (count,) = struct.unpack_from(">I", data, box.start + _FULL)
    at = box.start + _FULL + 4
    while count > 0 and at < box.end:
        number = int.from_bytes(data[at : at + (4 if wide_items else 2)], "big")
        at += 4 if wide_items else 2
        own, step = data[at], 2 if wide_indices else 1
        if number == item:
            places = range(at + 1, at + 1 + own * step, step)
            return [int.from_bytes(data[n : n + step], "big") & (0x7FFF if wide_indices else 0x7F) for n in places]
        at += 1 + own * step
        count -= 1
    return []


def _sample_counts(data: bytes) -> Iterator[int]:
    """Frames of each track."""
    places = [Part(b"", 0, len(data))]
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        places = [part for place in places for part in boxes(data, place.start, place.end) if part.name == name]
    for place in places:
        for part in boxes(data, place.start, place.end):
            if part.name in (b"stsz", b"stz2"):
                yield struct.unpack_from(">I", data, part.start + _FULL + 4)[0]


def _only(found: Iterator[Part], name: bytes) -> Part:
    part = next((part for part in found if part.name == name), None)
    if part is None:
        raise ImageDecodeFailed(f"The AVIF file has no {name.decode()} box.")
    return part
