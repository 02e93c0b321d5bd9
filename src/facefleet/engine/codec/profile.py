"""Reads the colour profile that a photo carries, and turns its pixels into sRGB by it.

Everything after decoding, and every file we write, is sRGB. A profile that cannot be used is passed over as if it were
not there, as browsers do: a photo with slightly wrong colours is worth more than a refusal.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageCms

from facefleet.engine.codec.pillow import UNREADABLE, open_photo
from facefleet.engine.codec.png_colour import png_space
from facefleet.engine.types import Pixels
from facefleet.media.avif import read_avif
from facefleet.media.parts import JPEG_SCAN, has_right_check_sum, jpeg_segments, png_chunks, webp_chunks
from facefleet.media.sniff import ImageType

_MAX_BYTES = 4_000_000  # the largest profiles of printing presses have 3 MB
_CACHED = 8  # a fleet meets a handful; eight of the largest are 32 MB
_SEEN_AS_SRGB = 2  # grey levels: rounding in a profile that means sRGB
_STRIP_ROWS = 128  # so many rows are turned at once, and so much more memory is needed
_ICC_SEGMENT = b"ICC_PROFILE\0"
_MAX_PROFILES = 4  # of one file that are looked at
_PADDING = 4  # bytes at the end of a profile that some writers leave out
_JPEG_METADATA = frozenset(bytes([marker]) for marker in (*range(0xE0, 0xEE), 0xEF, 0xFE))  # all but Adobe's APP14
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


def embedded_profile(data: bytes, kind: ImageType) -> bytes | None:
    """The ICC profile of a file; for a PNG with ``gAMA`` and ``cHRM`` instead, one that says the same.

    Of several profiles the first that can be one counts.

    Args:
        data: A file whose header has been read.
        kind: Its type.
    """
    find = {
        ImageType.JPEG: _in_jpeg, ImageType.PNG: _in_png, ImageType.WEBP: _in_webp, ImageType.AVIF: _in_avif,
    }[kind]  # fmt: skip
    return next((profile for profile in find(data) if _can_be_one(profile)), None)


def _can_be_one(profile: bytes) -> bool:
    """By length and signature (ICC.1:2022, section 7.2); what its tags are worth shows when it is used."""
    told = int.from_bytes(profile[:4], "big")
    return 128 < len(profile) <= _MAX_BYTES and profile[36:40] == b"acsp" and told < len(profile) + _PADDING


def to_srgb(pixels: Pixels, profile: bytes, *, grey: bool) -> None:
    """Turn pixels into sRGB in place; nothing is done where the profile is sRGB or cannot be used.

    Relative colorimetric with black point compensation, as photo editors do it.

    Args:
        pixels: ``(H, W, 3)`` uint8 BGR.
        profile: ICC profile of a screen, a camera or of greys.
        grey: Whether the file has one colour channel.
    """
    transform = _transform(profile)
    mode = _mode(profile)
    if transform is None or mode == "CMYK" or (mode == "L" and not grey):
        return
    if grey:
        cv2.LUT(pixels, _curve(transform, mode), dst=pixels)
        return
    for top in range(0, pixels.shape[0], _STRIP_ROWS):
        strip = pixels[top : top + _STRIP_ROWS]
        image = Image.fromarray(cv2.cvtColor(strip, cv2.COLOR_BGR2RGB))
        ImageCms.applyTransform(image, transform, inPlace=True)
        cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR, dst=strip)


def inks_to_srgb(data: bytes, profile: bytes) -> Pixels | None:
    """A CMYK JPEG by its profile, which OpenCV does not do; none where this is no such file.

    Args:
        data: A JPEG file.
        profile: Its profile.

    Returns:
        ``(H, W, 3)`` uint8 BGR as stored, not upright.
    """
    transform = _transform(profile) if _mode(profile) == "CMYK" else None
    if transform is None:
        return None
    try:
        with open_photo(_bare_jpeg(data), ImageType.JPEG) as photo:
            if photo.mode != "CMYK":
                return None
            photo.load()
            return _printed(photo, transform)
    except UNREADABLE:
        return None


def _bare_jpeg(data: bytes) -> bytes:
    """What makes the pixels: Pillow need not read the metadata."""
    kept = [data[:2]]
    for name, start, length in jpeg_segments(data):
        if name == JPEG_SCAN:
            kept.append(data[start - 4 :])
        elif name not in _JPEG_METADATA:
            kept.append(data[start - 4 : start + length])
    return b"".join(kept)


def _printed(photo: Image.Image, transform: ImageCms.ImageCmsTransform) -> Pixels:
    pixels = np.empty((photo.height, photo.width, 3), np.uint8)
    for top in range(0, photo.height, _STRIP_ROWS):
        bottom = min(photo.height, top + _STRIP_ROWS)
        strip = ImageCms.applyTransform(photo.crop((0, top, photo.width, bottom)), transform)
        cv2.cvtColor(np.asarray(strip), cv2.COLOR_RGB2BGR, dst=pixels[top:bottom])
    return pixels


def _mode(profile: bytes) -> str | None:
    """Pillow's name of the colour space in the profile's header (ICC.1:2022, table 19)."""
    return _MODES.get(profile[16:20])


@lru_cache(_CACHED)
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """To sRGB; none where the profile is broken, not of pixels, or as good as sRGB."""
    mode = _mode(profile)
    if mode is None:
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=_FLAGS,
        )  # fmt: skip
        return transform if mode == "CMYK" or not _changes_nothing(transform, mode) else None
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    steps = np.arange(0, 256, 15).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps), -1, 3)
    before = np.ascontiguousarray(colours if mode == "RGB" else colours[..., 0])
    after = np.asarray(ImageCms.applyTransform(Image.fromarray(before), transform), np.int16)
    return int(np.abs(after - before.reshape(*before.shape[:2], -1)).max()) <= _SEEN_AS_SRGB


def _curve(transform: ImageCms.ImageCmsTransform, mode: str | None) -> Pixels:
    """``(1, 256)`` uint8: what each grey becomes."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    turned = ImageCms.applyTransform(ramp.convert("RGB") if mode == "RGB" else ramp, transform)
    return np.ascontiguousarray(np.asarray(turned)[:, :, 1])


def _in_jpeg(data: bytes) -> Iterator[bytes]:
    """APP2 segments, numbered from 1 (ICC.1:2022, annex B.4); a number that comes again begins another profile."""
    profiles: list[dict[int, bytes]] = []
    counts: list[int] = []
    for name, start, length in jpeg_segments(data):
        if name == b"\xe2" and length > 14 and data.startswith(_ICC_SEGMENT, start):
            number, count = data[start + 12], data[start + 13]
            open_ones = (one for one, own in zip(profiles, counts, strict=True) if own == count and number not in one)
            one = next(open_ones, None)
            if one is None:
                if len(profiles) == _MAX_PROFILES:
                    continue
                profiles.append(one := {})
                counts.append(count)
            one[number] = data[start + 14 : start + length]
    for one, count in zip(profiles, counts, strict=True):
        if sorted(one) == list(range(1, count + 1)):
            yield b"".join(one[number] for number in sorted(one))


def _in_png(data: bytes) -> Iterator[bytes]:
    """``iCCP`` wins over ``sRGB``, that over ``gAMA`` and ``cHRM`` (PNG, third edition, section 4.3)."""
    chunks = colour_chunks(data)
    unpacked = [_unpacked(content.partition(b"\0")[2][1:]) for content in chunks[b"iCCP"][:_MAX_PROFILES]]
    profiles = [profile for profile in unpacked if profile is not None and _can_be_one(profile)]
    yield from profiles
    if not profiles and not chunks[b"sRGB"]:
        told = png_space(*(next(iter(chunks[name]), None) for name in (b"gAMA", b"cHRM")))
        yield from [told] if told is not None else []


def colour_chunks(data: bytes) -> Mapping[bytes, list[bytes]]:
    """What a PNG says of its colours, by the name of the chunk: before its pixels, undamaged, in order."""
    chunks: dict[bytes, list[bytes]] = {name: [] for name in _COLOUR_LENGTHS}
    for part in png_chunks(data):
        if part.name == b"IDAT":
            break
        if part.name in chunks and _COLOUR_LENGTHS[part.name] in (0, part.length) and has_right_check_sum(data, part):
            chunks[part.name].append(part.of(data))
    return chunks


_COLOUR_LENGTHS = {b"cICP": 4, b"iCCP": 0, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}
"""Name → bytes of the content; 0: any number."""


def _unpacked(packed: bytes) -> bytes | None:
    try:
        return zlib.decompressobj().decompress(packed, _MAX_BYTES + 1)  # a bomb ends here
    except zlib.error:
        return None


def _in_webp(data: bytes) -> Iterator[bytes]:
    return (part.of(data) for part in webp_chunks(data) if part.name == b"ICCP")


def _in_avif(data: bytes) -> Iterator[bytes]:
    profile = read_avif(data).profile
    yield from [profile] if profile is not None else []
