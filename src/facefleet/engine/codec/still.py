"""The one picture of an animation of one frame: where it lies on its canvas, and a still file that holds it alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from facefleet.engine.codec.png_pixels import bare_png
from facefleet.engine.types import Pixels
from facefleet.media import png, webp
from facefleet.media.parts import Part, riff_chunks
from facefleet.media.sniff import ImageType, damaged

_ALPHA = 0x10


@dataclass(frozen=True, slots=True)
class Place:
    """Of a frame on its canvas, px."""

    left: int
    top: int
    width: int
    height: int

    def on_canvas(self, picture: Pixels, width: int, height: int) -> Pixels:
        """The picture with zeros round it."""
        canvas = np.zeros((height, width, *picture.shape[2:]), np.uint8)
        canvas[self.top : self.top + self.height, self.left : self.left + self.width] = picture
        return canvas


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A file of one picture.

    Attributes:
        data: The file.
        place: Of the picture on the canvas of an animation; none where it is the photo.
    """

    data: bytes
    place: Place | None = None

    def on_canvas(
        self, pixels: Pixels, alpha: Pixels | None, kind: ImageType, width: int, height: int
    ) -> tuple[Pixels, Pixels | None]:
        """Colours and alpha as stored, on a canvas of this size, which is clear where the frame is not.

        Raises:
            ImageDecodeFailed: The frame does not lie on the canvas.
        """
        place = self.place
        if place is None or (place.width, place.height) == (width, height):
            return pixels, alpha
        inside = place.left + place.width <= width and place.top + place.height <= height
        if not inside or pixels.shape[:2] != (place.height, place.width):
            raise damaged(kind, "its frame does not lie on its canvas")
        alpha = np.full(pixels.shape[:2], 255, np.uint8) if alpha is None else alpha
        return place.on_canvas(pixels, width, height), place.on_canvas(alpha, width, height)


def still_of(data: bytes, kind: ImageType) -> Still:
    """The file with one picture and nothing beside it that costs a decoder time.

    Raises:
        ImageDecodeFailed: There is no such picture.
    """
    if kind is ImageType.PNG:
        return _still_png(data)
    if kind is ImageType.WEBP and (frame := webp.frame_of_animation(data)):
        return _still_webp(data, frame)
    return Still(data)


def _still_png(data: bytes) -> Still:
    """Where the photo is the frame of an ``fcTL`` chunk (PNG, third edition, section 11.3.6.2), that frame."""
    control = png.frame_of_animation(data)
    if control is None:
        return Still(bare_png(data))
    width, height, left, top = struct.unpack_from(">IIII", data, control.start + 4)
    size = struct.unpack_from(">II", data, 16)
    if not (width and height and left + width <= size[0] and top + height <= size[1]):
        raise damaged(ImageType.PNG, "its frame does not lie on its canvas")
    return Still(bare_png(data, (width, height)), Place(left, top, width, height))


def _still_webp(data: bytes, frame: Part) -> Still:
    """A still file of one ``ANMF`` chunk (RFC 9649, section 2.7.1.1)."""
    if frame.length < webp.FRAME_HEAD:
        raise damaged(ImageType.WEBP, "its frame has no pixels")
    left, top, width, height = (webp.uint24(data, frame.start + at) for at in (0, 3, 6, 9))
    inner = data[frame.start + webp.FRAME_HEAD : frame.end]
    head = b""
    if any(part.name == b"ALPH" for part in riff_chunks(inner, 0, len(inner))):
        size = width.to_bytes(3, "little") + height.to_bytes(3, "little")
        head = b"VP8X" + struct.pack("<I", 10) + bytes([_ALPHA, 0, 0, 0]) + size
    body = head + inner
    still = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    return Still(still, Place(2 * left, 2 * top, width + 1, height + 1))
