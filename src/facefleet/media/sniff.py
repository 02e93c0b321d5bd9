"""Reads type, size in pixels and orientation of a photo from its bytes, and refuses one that was cut.

The gateway calls this on every upload and the engine before every decode, so that a decompression bomb is refused
after a few bytes are read. Nothing here decodes pixels; the standard library is enough.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from facefleet.errors.input import (
    ImageDecodeFailed,
    ImageTooLargeBytes,
    ImageTooLargePixels,
    ImageTooSmall,
    ImageTypeUnsupported,
)
from facefleet.media.avif import AVIF_BRANDS, HEIC_BRANDS, brands_of, is_whole_avif, read_avif
from facefleet.media.jpeg import read_jpeg, read_scans
from facefleet.media.parts import PNG_SIGNATURE
from facefleet.media.png import is_whole_png, read_png
from facefleet.media.webp import is_whole_webp, read_webp

HEAD_BYTES = 128  # enough to tell the type: an AVIF may name twenty brands before its own


class ImageType(StrEnum):
    """The image formats that are read; the value is the media type."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    AVIF = "image/avif"

    @property
    def extension(self) -> str:
        """File name extension with its dot."""
        return ".jpg" if self is ImageType.JPEG else f".{self.name.lower()}"

    @property
    def result(self) -> ImageType:
        """The type of a result whose target is of this one.

        An AVIF takes seconds to write and has no simple place for marks; a WebP is as small and has alpha, too.
        """
        return ImageType.WEBP if self is ImageType.AVIF else self


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
        ImageTypeUnsupported: Neither JPEG, PNG, WebP nor AVIF.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return ImageType.JPEG
    if head.startswith(PNG_SIGNATURE):
        return ImageType.PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ImageType.WEBP
    brands = brands_of(head[:HEAD_BYTES])
    if brands & AVIF_BRANDS:
        return ImageType.AVIF
    raise ImageTypeUnsupported(_unsupported(head, brands), supported=[str(each) for each in ImageType])


def _unsupported(head: bytes, brands: frozenset[bytes]) -> str:
    if brands & HEIC_BRANDS:
        return (
            "The file is a HEIC photo, which is not read here; save it as JPEG and send that. On an iPhone choose "
            "Settings, Camera, Formats, Most Compatible, or share the photo by mail; on a Mac export it in Preview."
        )
    return "The file is not a JPEG, PNG, WebP or AVIF image; convert it first." if head else _EMPTY


_EMPTY = "The file is empty; choose one with a photo."


def check_bytes(count: int, limits: Limits) -> None:
    """Refuse a file by its size.

    Raises:
        ImageTooLargeBytes: More than ``limits.max_bytes``.
    """
    if count > limits.max_bytes:
        raise ImageTooLargeBytes(
            f"The image file is over {limits.max_bytes:,} bytes; save it smaller.", max_bytes=limits.max_bytes
        )


def check_arriving(data: bytearray, before: int, limits: Limits) -> None:
    """Check what has come of a file so far, each time that more of it came.

    Args:
        data: All of it.
        before: Its bytes when it was checked last.
        limits: Of the whole file.

    Raises:
        ImageTooLargeBytes: More than ``limits.max_bytes``.
        ImageTypeUnsupported: Its first bytes are those of no photo.
    """
    check_bytes(len(data), limits)
    if before < HEAD_BYTES <= len(data):
        sniff_type(bytes(data[:HEAD_BYTES]))


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
    try:
        header = _check_size(kind, *_READERS[kind](data), limits)
        why = _DAMAGES[kind](data)
    except (struct.error, IndexError):
        raise ImageDecodeFailed("The image file ends inside its header.", type=str(kind)) from None
    if why:
        raise damaged(kind, why)
    return header


def sniff_start(start: bytes, limits: Limits) -> Header:
    """Read the header from the first bytes of a file whose rest is elsewhere; its end is not looked at.

    Raises:
        ImageDecodeFailed: The header does not end in these bytes, or it is damaged.
        ImageError: Another of its subclasses names the first thing that is wrong.
    """
    kind = sniff_type(start[:HEAD_BYTES])
    try:
        return _check_size(kind, *_READERS[kind](start), limits)
    except (struct.error, IndexError):
        raise ImageDecodeFailed("The image file ends inside its header.", type=str(kind)) from None


def damaged(kind: ImageType, why: str) -> ImageDecodeFailed:
    """The refusal of a file that cannot be decoded."""
    return ImageDecodeFailed(f"The image file is damaged: {why}. Export it again.", type=str(kind))


def _check_size(kind: ImageType, width: int, height: int, orientation: int, limits: Limits) -> Header:
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


def _avif(data: bytes) -> tuple[int, int, int]:
    header = read_avif(data)
    if header.largest > header.width * header.height:  # no part of an honest photo is larger than the whole
        raise ImageDecodeFailed("The AVIF file is damaged: a part of it is larger than the photo.")
    return header.width, header.height, header.orientation


def _unless(whole: bool) -> str:
    return "" if whole else "it ends before its last part"


_READERS = {ImageType.JPEG: read_jpeg, ImageType.PNG: read_png, ImageType.WEBP: read_webp, ImageType.AVIF: _avif}
_DAMAGES: Mapping[ImageType, Callable[[bytes], str]] = {
    ImageType.JPEG: lambda data: read_scans(data).damage,
    ImageType.PNG: lambda data: _unless(is_whole_png(data)),
    ImageType.WEBP: lambda data: _unless(is_whole_webp(data)),
    ImageType.AVIF: lambda data: _unless(is_whole_avif(data)),
}
"""Why a file whose header is fine cannot be decoded; empty where the bytes do not tell."""
