"""Small photos as real encoders write them, and the blocks that cameras and editors add to them."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def pixels(width: int, height: int, channels: int = 3) -> Pixels:
    """Smooth noise, so that lossy encoders have something to do."""
    noise = np.random.default_rng(width * height).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return np.asarray(cv2.blur(noise, (5, 5)), dtype=np.uint8)


def encoded(image: Pixels, extension: str, *options: int) -> bytes:
    """The file of an image."""
    done, data = cv2.imencode(extension, image, list(options))
    assert done
    return data.tobytes()


def decoded(data: bytes) -> Pixels:
    """The pixels of a file as they are stored: no turning, alpha kept."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


def jpeg(width: int = 96, height: int = 80) -> bytes:
    return encoded(pixels(width, height), ".jpg")


def png(width: int = 96, height: int = 80, channels: int = 3) -> bytes:
    return encoded(pixels(width, height, channels), ".png")


def webp(width: int = 96, height: int = 80, channels: int = 3, *, lossless: bool = False) -> bytes:
    """VP8, or VP8L when lossless; with alpha, lossy is wrapped in VP8X by the encoder."""
    quality = 101 if lossless else 80
    return encoded(pixels(width, height, channels), ".webp", cv2.IMWRITE_WEBP_QUALITY, quality)


def exif(orientation: int, order: str = "<", *, before: int = 2, kind: int = 3) -> bytes:
    """A TIFF block with one IFD; the orientation comes after some other tags."""
    entries = [struct.pack(f"{order}HHII", 0x0100 + n, 4, 1, 7) for n in range(before)]
    entries.append(struct.pack(f"{order}HHIHH", 0x0112, kind, 1, orientation, 0))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + struct.pack(f"{order}I", 0)


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with_exif(photo: bytes, tiff: bytes) -> bytes:
    return photo[:2] + jpeg_segment(0xE1, b"Exif\0\0" + tiff) + photo[2:]


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(photo: bytes, name: bytes, body: bytes) -> bytes:
    """The chunk comes right after IHDR."""
    return photo[:33] + png_chunk(name, body) + photo[33:]


def riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def riff(*chunks: bytes) -> bytes:
    body = b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def vp8x(flags: int, width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size)
