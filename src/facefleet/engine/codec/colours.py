"""How the colours of a file are told, whatever tells it, and what has to be done to make them sRGB.

In a PNG ``cICP`` wins over ``iCCP``, that over ``sRGB``, that over ``gAMA`` and ``cHRM`` (third edition, section 4.3);
``mDCV`` and ``cLLI`` only say how bright an HDR photo was graded, and are not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facefleet.engine.codec.code_points import (
    SRGB_PRIMARIES,
    SRGB_TRANSFER,
    UNKNOWN,
    VIDEO_CURVES,
    light_of,
    means_srgb,
)
from facefleet.engine.codec.icc_matrix import light_of_profile
from facefleet.engine.codec.light import Light
from facefleet.engine.codec.png_pixels import GREY, GREY_ALPHA
from facefleet.engine.codec.profile import colour_chunks, embedded_profile
from facefleet.media.avif import read_avif
from facefleet.media.sniff import ImageType


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """How a file's colours are told.

    Attributes:
        profile: ICC profile; none where the colours are sRGB or told by ``light``.
        light: How to make them sRGB without a profile.
        grey: Whether the file has one colour channel.
    """

    profile: bytes | None = None
    light: Light | None = None
    grey: bool = False

    def light_for(self, stored: npt.DTypeLike) -> Light | None:
        """How to make stored values sRGB before they are cut to 8 bits; none where that can be done afterwards."""
        if self.light is None and self.profile is not None and np.dtype(stored) == np.uint16:
            return light_of_profile(self.profile)
        return self.light


def colours_of(data: bytes, kind: ImageType, *, grey: bool) -> Colours:
    """How the colours of a file are told.

    Args:
        data: A file whose header has been read.
        kind: Its type.
        grey: Whether it is a JPEG of one component.
    """
    if kind is ImageType.PNG:
        grey = data[25] in (GREY, GREY_ALPHA)
        for primaries, transfer, matrix, full in colour_chunks(data)[b"cICP"]:
            full_range = full == 1
            if matrix or full > 1:
                continue
            if means_srgb(primaries, transfer, full_range=full_range):
                return Colours(grey=grey)
            if light := light_of(primaries, transfer, full_range=full_range, bits=max(8, data[24])):
                return Colours(light=light, grey=grey)
    if kind is ImageType.AVIF and (told := read_avif(data).cicp):
        return Colours(light=_light_of_avif(*told))
    return Colours(profile=embedded_profile(data, kind), grey=grey)


def _light_of_avif(primaries: int, transfer: int) -> Light | None:
    """Encoders name the curve of video where they mean sRGB, and leave things unknown; browsers take both for sRGB."""
    primaries = SRGB_PRIMARIES if primaries == UNKNOWN else primaries
    transfer = SRGB_TRANSFER if transfer in (UNKNOWN, *VIDEO_CURVES) else transfer
    return None if means_srgb(primaries, transfer) else light_of(primaries, transfer)
