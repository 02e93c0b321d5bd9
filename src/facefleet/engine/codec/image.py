"""Decodes files into upright sRGB pixels and encodes them again: the first and the last step of every fusion."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.codec import alpha as transparency
from facefleet.engine.codec.colours import Colours, colours_of
from facefleet.engine.codec.completeness import mended_jpeg
from facefleet.engine.codec.jpeg_coding import JpegCoding, read_coding
from facefleet.engine.codec.pillow import read_pixels
from facefleet.engine.codec.profile import inks_to_srgb, to_srgb
from facefleet.engine.codec.still import Still, still_of
from facefleet.engine.memory import require
from facefleet.engine.types import Pixels
from facefleet.media.parts import png_chunks
from facefleet.media.sniff import Header, ImageType, Limits, damaged, sniff

WEBP_QUALITY = 92
_DECODE_BYTES = 8  # a pixel, decoder's buffers included
PNG_COMPRESSION = 3  # a third of the time of level 6 for a few per cent of the bytes

_SAMPLING_FACTORS = {
    (1, 1): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    (2, 1): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    (1, 2): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    (2, 2): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    (4, 1): cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}
_PNG_IS_SRGB = struct.pack(">I4sBI", 1, b"sRGB", 0, zlib.crc32(b"sRGB\0"))
_PNG_AFTER_IHDR = 8 + 25


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded photo.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 BGR, upright, sRGB but for ``profile``; where ``alpha`` hides them, those round
            them continued.
        type: The format it goes out in.
        alpha: ``(H, W)`` uint8, or None for an opaque photo.
        coding: How a JPEG was and will be compressed.
        profile: ICC profile that the pixels still follow; none once they are sRGB.
    """

    pixels: Pixels
    type: ImageType
    alpha: Pixels | None = None
    coding: JpegCoding = JpegCoding()  # noqa: RUF009 - frozen
    profile: bytes | None = None

    def in_srgb(self) -> Frame:
        """The same photo, its own pixels turned into sRGB."""
        if self.profile is not None:
            to_srgb(self.pixels, self.profile, grey=False)
        return replace(self, profile=None)

    def as_seen(self) -> Pixels:
        """``(H, W, 3)`` uint8 BGR to look for faces in: as a white page shows the photo."""
        return self.pixels if self.alpha is None else transparency.on_white(self.pixels, self.alpha)

    def opaque(self) -> Pixels:
        """``(H, W, 3)`` uint8 BGR to take a face from."""
        return self.pixels if self.alpha is None else transparency.opaque(self.pixels, self.alpha)

    def with_pixels(self, pixels: Pixels) -> Frame:
        """The same photo with other pixels."""
        return replace(self, pixels=pixels)


def decode(data: bytes, limits: Limits | None = None) -> Frame:
    """Decode a whole file, after its header was held against the limits; arguments and errors are those below."""
    return decode_as_stored(data, limits).in_srgb()


def decode_as_stored(data: bytes, limits: Limits | None = None) -> Frame:
    """The same, but colours may still follow the file's profile: to turn 12 MP takes longer than to read them.

    Args:
        data: A JPEG, PNG, WebP or AVIF file.
        limits: What it may measure.

    Raises:
        ImageError: One of its subclasses names the first thing that is wrong; ``ImageDecodeFailed`` where the header
            is fine and the rest is not.
        MemoryError: The pixels do not fit.
    """
    header = sniff(data, limits)
    coding = JpegCoding()
    if header.type is ImageType.JPEG:
        data = mended_jpeg(data, header)
        coding = read_coding(data)
    stored, alpha, profile = _decode_stored(data, header, coding)
    pixels = upright(stored, header.orientation)
    if (pixels.shape[1], pixels.shape[0]) != (header.width, header.height):
        raise damaged(header.type, "its pixels do not have the size its header promises")
    if alpha is not None:
        alpha = upright(alpha, header.orientation)
        transparency.hide(pixels, alpha)
    coding = coding.turned() if header.orientation >= 5 else coding
    return Frame(pixels, header.type.result, alpha, coding, profile)


def encode(frame: Frame) -> bytes:
    """The file, in the frame's format and without any metadata: the pixels are upright and sRGB already.

    A JPEG is compressed as it came. PNG says that it is sRGB; in JPEG and WebP, saying nothing means that.
    """
    pixels = frame.pixels if frame.alpha is None else transparency.cleared(frame.pixels, frame.alpha)
    _, buffer = cv2.imencode(frame.type.extension, pixels, _encode_options(frame))
    data = bytes(buffer)
    if frame.type is ImageType.PNG:
        return b"".join([data[:_PNG_AFTER_IHDR], _PNG_IS_SRGB, data[_PNG_AFTER_IHDR:]])
    return data


def _encode_options(frame: Frame) -> list[int]:
    if frame.type is ImageType.PNG:
        return [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION]
    if frame.type is ImageType.WEBP:
        return [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY]
    return [
        cv2.IMWRITE_JPEG_LUMA_QUALITY, frame.coding.luma,
        cv2.IMWRITE_JPEG_CHROMA_QUALITY, frame.coding.chroma,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING_FACTORS.get(frame.coding.sampling, _SAMPLING_FACTORS[(1, 1)]),
    ]  # fmt: skip


def _decode_stored(data: bytes, header: Header, coding: JpegCoding) -> tuple[Pixels, Pixels | None, bytes | None]:
    """Colours, not upright, their alpha, and the profile that they still follow; inks and greys are turned at once."""
    colours = colours_of(data, header.type, grey=coding.components == 1)
    if colours.profile is not None and coding.components == 4:
        printed = inks_to_srgb(data, colours.profile)
        if printed is not None:
            return printed, None, None
        colours = Colours()
    still = still_of(data, header.type)
    raw = _decode_raw(still, header)
    pixels, alpha, profile = _in_eight_bits(raw, colours)
    if header.type is ImageType.PNG and alpha is None:
        alpha = _keyed_alpha(data, raw)
    if still.place is None:
        return pixels, alpha, profile
    stored = (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)
    return *still.on_canvas(pixels, alpha, header.type, *stored), profile


def _in_eight_bits(raw: npt.NDArray[np.generic], colours: Colours) -> tuple[Pixels, Pixels | None, bytes | None]:
    """As above, of what a decoder gives: ``(H, W)`` or ``(H, W, 3 or 4)`` of 8 or 16 bits."""
    light = colours.light_for(raw.dtype)
    if light is not None:
        colour, alpha = _split(raw)
        return light.to_srgb(colour), None if alpha is None else _eight_bits(alpha), None
    pixels, alpha = _split(_eight_bits(raw))
    if colours.profile is None or not colours.grey:
        return pixels, alpha, colours.profile
    to_srgb(pixels, colours.profile, grey=True)
    return pixels, alpha, None


def _keyed_alpha(data: bytes, raw: npt.NDArray[np.generic]) -> Pixels | None:
    """Alpha of a grey PNG that names one of its greys transparent, which OpenCV leaves out."""
    key = next((data[start : start + 2] for name, start, _ in png_chunks(data) if name == b"tRNS"), b"")
    if raw.ndim != 2 or len(key) != 2:
        return None
    depth = data[24]
    grey = int.from_bytes(key, "big") * (255 // ((1 << depth) - 1) if depth <= 8 else 1)
    return np.where(raw == grey, np.uint8(0), np.uint8(255))


def _decode_raw(still: Still, header: Header) -> npt.NDArray[np.generic]:
    # A JPEG has no alpha: IMREAD_COLOR also turns CMYK and grey into BGR. The others may carry one, which only
    # IMREAD_UNCHANGED keeps; it ignores the orientation by itself.
    colour_only = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    flags = colour_only if header.type is ImageType.JPEG else cv2.IMREAD_UNCHANGED
    if header.type is ImageType.AVIF:
        return read_pixels(still.data, header)
    try:
        image = cv2.imdecode(np.frombuffer(still.data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        require(header.width * header.height * _DECODE_BYTES)
        raise damaged(header.type, "its pixels cannot be read")
    return np.asarray(image)


def _eight_bits(image: npt.NDArray[np.generic]) -> Pixels:
    if image.dtype == np.uint16:
        return np.asarray(cv2.convertScaleAbs(np.asarray(image, np.uint16), alpha=255.0 / 65535.0), np.uint8)
    return np.asarray(image, np.uint8)


def _split(image: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), image.dtype), None
    if channels == 4:
        return np.ascontiguousarray(image[:, :, :3]), np.ascontiguousarray(image[:, :, 3])
    return image, None


def upright(image: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (Exif 2.32, tag 0x0112): 5 to 8 are transposed, then all are flips."""
    if orientation >= 5:
        image = np.asarray(cv2.transpose(image), np.uint8)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return image if flip is None else np.asarray(cv2.flip(image, flip), np.uint8)
