"""Bytes to upright pixels and back: the first and the last step of every fusion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.memory import require
from facefleet.engine.types import Pixels
from facefleet.errors import ImageDecodeFailed
from facefleet.media.sniff import Header, ImageType, Limits, sniff

JPEG_QUALITY = 95
WEBP_QUALITY = 92
_DECODE_BYTES = 8  # a pixel, decoder's buffers included
PNG_COMPRESSION = 3  # a third of the time of level 6 for a few per cent of the bytes

_ENCODE_OPTIONS = {
    ImageType.JPEG: [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY,
                     cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
    ImageType.PNG: [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION],
    ImageType.WEBP: [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY],
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded photo.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 BGR, upright.
        type: The format it came in and goes out in.
        alpha: ``(H, W)`` uint8, or None for an opaque photo.
    """

    pixels: Pixels
    type: ImageType
    alpha: Pixels | None = None

    def with_pixels(self, pixels: Pixels) -> Frame:
        """The same photo with other pixels."""
        return replace(self, pixels=pixels)


def decode(data: bytes, limits: Limits | None = None) -> Frame:
    """Decode a whole file, after its header was held against the limits.

    Args:
        data: A JPEG, PNG or WebP file.
        limits: What it may measure.

    Raises:
        ImageError: One of its subclasses names the first thing that is wrong; ``ImageDecodeFailed`` where the header
            is fine and the rest is not.
        MemoryError: The pixels do not fit.
    """
    header = sniff(data, limits)
    _refuse_truncated(data, header.type)
    raw = _decode_raw(data, header)
    colour, alpha = _split(_eight_bits(raw))
    pixels = _upright(colour, header.orientation)
    if (pixels.shape[1], pixels.shape[0]) != (header.width, header.height):
        raise _damaged(header.type, "its pixels do not have the size its header promises")
    return Frame(pixels, header.type, None if alpha is None else _upright(alpha, header.orientation))


def encode(frame: Frame) -> bytes:
    """The file, in the frame's format and without EXIF: the pixels are upright already.

    JPEG is written without chroma subsampling, since a fused face meets its surroundings in soft colour edges.
    """
    pixels = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
    _, buffer = cv2.imencode(frame.type.extension, pixels, _ENCODE_OPTIONS[frame.type])
    return bytes(buffer)


def _decode_raw(data: bytes, header: Header) -> npt.NDArray[np.generic]:
    # A JPEG has no alpha: IMREAD_COLOR also turns CMYK and grey into BGR. The others may carry one, which only
    # IMREAD_UNCHANGED keeps; it ignores the orientation by itself.
    colour_only = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    flags = colour_only if header.type is ImageType.JPEG else cv2.IMREAD_UNCHANGED
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        require(header.width * header.height * _DECODE_BYTES)
        raise _damaged(header.type, "its pixels cannot be read")
    return np.asarray(image)


def _eight_bits(image: npt.NDArray[np.generic]) -> Pixels:
    if image.dtype == np.uint16:
        return np.asarray(cv2.convertScaleAbs(np.asarray(image, np.uint16), alpha=255.0 / 65535.0), np.uint8)
    return np.asarray(image, np.uint8)


def _split(image: Pixels) -> tuple[Pixels, Pixels | None]:
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8), None
    if channels == 4:
        return np.ascontiguousarray(image[:, :, :3]), np.ascontiguousarray(image[:, :, 3])
    return image, None


def _upright(image: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (Exif 2.32, tag 0x0112): 5 to 8 are transposed, then all are flips."""
    if orientation >= 5:
        image = np.asarray(cv2.transpose(image), np.uint8)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return image if flip is None else np.asarray(cv2.flip(image, flip), np.uint8)


def _refuse_truncated(data: bytes, kind: ImageType) -> None:
    """The decoders fill what is missing with grey and say nothing, so the end of the file is checked by hand."""
    complete = {ImageType.JPEG: _jpeg_complete, ImageType.PNG: _png_complete, ImageType.WEBP: _webp_complete}[kind]
    if not complete(data):
        raise _damaged(kind, "it ends before its last part")


def _jpeg_complete(data: bytes) -> bool:
    # Segments are stepped over by their length, since a preview inside one has an end marker of its own. Within
    # entropy-coded data 0xFF is always followed by 0x00 or a restart marker, so the next end marker is the real one.
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            return data.find(b"\xff\xd9", at) >= 0
        stands_alone = data[at + 1] in (0x01, 0xFF) or 0xD0 <= data[at + 1] <= 0xD7
        at += (1 if data[at + 1] == 0xFF else 2) if stands_alone else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _png_complete(data: bytes) -> bool:
    return data.rfind(b"IEND") >= 0


def _webp_complete(data: bytes) -> bool:
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _damaged(kind: ImageType, why: str) -> ImageDecodeFailed:
    return ImageDecodeFailed(f"The image file is damaged: {why}. Export it again.", type=str(kind))
