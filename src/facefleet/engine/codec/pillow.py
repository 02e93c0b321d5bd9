"""Opens a photo with Pillow: as the one format that it is known to be, and never as a bomb."""

from __future__ import annotations

import io
import threading
import warnings

import cv2
import numpy as np
from PIL import Image, features

from facefleet.engine.memory import require
from facefleet.engine.types import Pixels
from facefleet.errors.input import ImageTypeUnsupported
from facefleet.media.sniff import Header, ImageType, damaged

UNREADABLE = (OSError, SyntaxError, ValueError, RuntimeError, EOFError)
"""What Pillow raises on a damaged file."""

_DECODE_BYTES = 16  # a pixel, decoder's buffers included
_ONE_AT_A_TIME = threading.Lock()  # the filters of warnings belong to the process


def open_photo(data: bytes, kind: ImageType) -> Image.Image:
    """The photo, its pixels not yet read.

    Args:
        data: The file.
        kind: What it is by its content; no other decoder is tried.

    Raises:
        OSError: Pillow cannot read it; with damaged pixels, any of ``UNREADABLE``.
        ValueError: It has more pixels than Pillow holds for safe.
    """
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=(kind.name,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(str(error)) from None


def read_pixels(data: bytes, header: Header) -> Pixels:
    """The pixels of an AVIF as stored, not upright: ``(H, W, 3)`` uint8 BGR, or 4 with alpha.

    Args:
        data: The file.
        header: What was read from it before.

    Raises:
        ImageTypeUnsupported: This Pillow was built without the decoder.
        ImageDecodeFailed: The pixels cannot be read.
        MemoryError: They do not fit.
    """
    if not features.check("avif"):
        raise ImageTypeUnsupported(
            "AVIF is not read here: Pillow was built without it. Install the wheel of Pillow, or send a JPEG.",
            type=str(header.type),
        )
    require(header.width * header.height * _DECODE_BYTES)
    try:
        with open_photo(data, header.type) as photo:
            if sorted(photo.size) != sorted((header.width, header.height)) or getattr(photo, "n_frames", 1) > 1:
                raise damaged(header.type, "its pixels do not have the size its header promises")
            if photo.mode not in ("RGB", "RGBA"):
                photo = photo.convert("RGBA" if "A" in photo.mode else "RGB")
            code = cv2.COLOR_RGBA2BGRA if photo.mode == "RGBA" else cv2.COLOR_RGB2BGR
            return np.asarray(cv2.cvtColor(np.asarray(photo), code), np.uint8)
    except UNREADABLE:
        raise damaged(header.type, "its pixels cannot be read") from None
