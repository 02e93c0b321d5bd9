"""Files made for a test: encoders, EXIF blocks, chunks."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.generic]


def _mat(pixels: Image) -> npt.NDArray[np.integer[Any]]:
    return np.asarray(pixels, np.uint16 if pixels.dtype == np.uint16 else np.uint8)


def png(pixels: Image) -> bytes:
    return bytes(cv2.imencode(".png", _mat(pixels))[1])


def jpeg(pixels: Image, quality: int = 95) -> bytes:
    return bytes(cv2.imencode(".jpg", _mat(pixels), [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def webp(pixels: Image, quality: int = 101) -> bytes:
    """Lossless over 100."""
    return bytes(cv2.imencode(".webp", _mat(pixels), [cv2.IMWRITE_WEBP_QUALITY, quality])[1])


def exif(orientation: int) -> bytes:
    """A TIFF block with one entry, tag 0x0112."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def jpeg_with_orientation(data: bytes, orientation: int) -> bytes:
    body = b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def png_with_orientation(data: bytes, orientation: int) -> bytes:
    body = exif(orientation)
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    after_header = 8 + 25
    return data[:after_header] + chunk + data[after_header:]


def as_stored(upright: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """What a camera stores so that ``orientation`` shows it upright (Exif 2.32, tag 0x0112)."""
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    return np.ascontiguousarray(turned)


def under_blue_light(photo: bytes) -> bytes:
    """As PNG; in such light a fusion at full strength is refused, and a weaker one is not.

    The upper edge is out of the light: a photo that is blue all over is a print of one hue.
    """
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    lit = np.clip(pixels * np.array([3.0, 0.2, 0.2]), 0, 255)
    edge = len(pixels) // 8
    lit[:edge] = pixels[:edge]
    return png(lit)
