"""Reads type, size in pixels and orientation of a photo from its header alone.

The gateway calls this on every upload and the engine before every decode, so that a decompression bomb is refused
after a few bytes are read. Nothing here decodes pixels; the standard library is enough.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

from facefleet.errors.input import (
    ImageAnimated,
    ImageDecodeFailed,
    ImageTooLargeBytes,
    ImageTooLargePixels,
    ImageTooSmall,
    ImageTypeUnsupported,
)
from facefleet.media.parts import PNG_SIGNATURE, jpeg_segments, png_chunks, webp_chunks

HEAD_BYTES = 12  # enough to tell the type
_SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ORIENTATION_TAG = 0x0112


class ImageType(StrEnum):
    """The image formats that are read and written; the value is the media type."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"

    @property
    def extension(self) -> str:
        """File name extension with its dot."""
        return {ImageType.JPEG: ".jpg", ImageType.PNG: ".png", ImageType.WEBP: ".webp"}[self]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one photo.

    Attributes:
        max_bytes: Bytes of the file.
        max_pixels: Width × height, px.
        max_side: Long side, px.
        min_side: Short side, px.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_side: int = 16_000
    min_side: int = 64


@dataclass(frozen=True, slots=True)
class Header:
    """The facts in a photo's header.

    Attributes:
        type: By the content, never by the file name.
        width: px of the upright image.
        height: px of the upright image.
        orientation: EXIF orientation, 1 to 8; 1 where there is none.
    """

    type: ImageType
    width: int
    height: int
    orientation: int


def sniff_type(head: bytes) -> ImageType:
    """The type by the first ``HEAD_BYTES`` bytes.

    Raises:
        ImageTypeUnsupported: Neither JPEG, PNG nor WebP.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return ImageType.JPEG
    if head.startswith(PNG_SIGNATURE):
        return ImageType.PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ImageType.WEBP
    message = (
        "The file is not a JPEG, PNG or WebP image; convert it first."
        if head
        else "The file is empty; choose one with a photo."
    )
    raise ImageTypeUnsupported(message, supported=[str(t) for t in ImageType])


def check_bytes(count: int, limits: Limits) -> None:
    """Refuse a file by its size.

    Raises:
        ImageTooLargeBytes: More than ``limits.max_bytes``.
    """
    if count > limits.max_bytes:
        raise ImageTooLargeBytes(
            f"The image file is over {limits.max_bytes:,} bytes; save it smaller.", max_bytes=limits.max_bytes
        )


def sniff(data: bytes, limits: Limits | None = None) -> Header:
    """Read the header of a whole file and check it against the limits.

    Args:
        data: The file.
        limits: Limits of the photo; defaults where not given.

    Raises:
        ImageError: One of its subclasses names the first thing that is wrong.
    """
    limits = limits or Limits()
    check_bytes(len(data), limits)
    kind = sniff_type(data[:HEAD_BYTES])
    reader = {ImageType.JPEG: _jpeg, ImageType.PNG: _png, ImageType.WEBP: _webp}[kind]
    try:
        width, height, orientation = reader(data)
    except (struct.error, IndexError):
        raise ImageDecodeFailed("The image file ends inside its header.", type=str(kind)) from None
    if not width or not height:  # a JPEG may give its height after its pixels (DNL); no camera does
        raise ImageDecodeFailed(f"The image file is {width} × {height} px by its header.", type=str(kind))
    if orientation >= 5:  # these four rotate the image by 90°
        width, height = height, width
    if min(width, height) < limits.min_side:
        raise ImageTooSmall(
            f"The image is {width} × {height} px; the short side must be at least {limits.min_side} px.",
            width=width, height=height, min_side=limits.min_side,
        )  # fmt: skip
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise ImageTooLargePixels(
            f"The image is {width} × {height} px; at most {limits.max_pixels:,} pixels, {limits.max_side:,} px a side.",
            width=width, height=height, max_pixels=limits.max_pixels, max_side=limits.max_side,
        )  # fmt: skip
    return Header(kind, width, height, orientation)


def _jpeg(data: bytes) -> tuple[int, int, int]:
    orientation = 1
    for name, at, length in jpeg_segments(data):
        if name[0] in _SOF_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 1)
            return width, height, orientation
        if name == b"\xe1" and data[at : at + 6] == b"Exif\0\0":
            orientation = _exif_orientation(data[at + 6 : at + length])
    raise ImageDecodeFailed("The JPEG file has no frame header before its data.")


def _png(data: bytes) -> tuple[int, int, int]:
    size: tuple[int, int] | None = None
    orientation = 1
    for name, at, length in png_chunks(data):
        if size is None:
            if name != b"IHDR":
                break
            size = struct.unpack_from(">II", data, at)
        elif name == b"acTL":
            raise ImageAnimated("The PNG file is animated; send a single frame.")
        elif name == b"eXIf":
            orientation = _exif_orientation(data[at : at + length])
    if size is None:
        raise ImageDecodeFailed("The PNG file does not start with its IHDR chunk.")
    return *size, orientation


def _webp(data: bytes) -> tuple[int, int, int]:
    orientation = 1
    size: tuple[int, int] | None = None
    for name, body, length in webp_chunks(data):
        if name == b"VP8X":
            if data[body] & 0x02:
                raise ImageAnimated("The WebP file is animated; send a single frame.")
            size = _uint24(data, body + 4) + 1, _uint24(data, body + 7) + 1
        elif name == b"VP8 " and size is None:
            if data[body + 3 : body + 6] != b"\x9d\x01\x2a":
                raise ImageDecodeFailed("The WebP file is damaged: its key frame has no start code.")
            width, height = struct.unpack_from("<HH", data, body + 6)
            size = width & 0x3FFF, height & 0x3FFF
        elif name == b"VP8L" and size is None:
            (bits,) = struct.unpack_from("<I", data, body + 1)
            size = (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
        elif name == b"EXIF":
            blob = data[body : body + length]
            orientation = _exif_orientation(blob.removeprefix(b"Exif\0\0"))
    if size is None:
        raise ImageDecodeFailed("The WebP file has no image chunk.")
    return *size, orientation


def _uint24(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16


def _exif_orientation(tiff: bytes) -> int:
    """Tag 0x0112 of the first IFD (TIFF 6.0, section 2); a broken EXIF block is no error and gives 1."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (ifd,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, ifd)
        for entry in range(ifd + 2, ifd + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
