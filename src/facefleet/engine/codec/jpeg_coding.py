"""Reads how strongly a JPEG was compressed, so that the result can be compressed alike.

Quantising pixels again on the grid that they come from changes almost nothing outside the fused face and keeps the
file's size; any other grid, a finer one too, loses more and takes more bytes. The fused face gets the target's look.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from facefleet.media.parts import jpeg_segments

LOWEST_QUALITY = 60  # under it, what makes a face a person's own is lost
_SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

# ITU-T T.81, annex K.1: quality 50 of the scale that every encoder but those of cameras uses.
_LUMA = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip
_CHROMA = np.array([
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66,
    *[99] * 38,
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class JpegCoding:
    """What an encoder is told.

    Attributes:
        luma: Quality of lightness, 1 to 100.
        chroma: Quality of colours, 1 to 100.
        sampling: How many samples of lightness one of colour has, across and down: (1, 1) to (4, 2).
        components: Colour channels of the file: 1, 3, or 4 for inks.
    """

    luma: int = 95
    chroma: int = 95
    sampling: tuple[int, int] = (1, 1)
    components: int = 3

    def turned(self) -> JpegCoding:
        """For pixels turned by a quarter."""
        return replace(self, sampling=self.sampling[::-1])


def read_coding(data: bytes) -> JpegCoding:
    """What the tables and the frame header of a JPEG say; the finest quality where they say nothing.

    Args:
        data: A JPEG whose header has been read.

    Raises:
        ImageDecodeFailed: The file ends inside its header.
    """
    tables: dict[int, int] = {}
    frame = b""
    for name, start, length in jpeg_segments(data):
        if name == b"\xdb":
            tables |= _sums(data[start : start + length])
        elif name[0] in _SOF_MARKERS:
            frame = data[start + 5 : start + length]
    components = [frame[at : at + 3] for at in range(1, len(frame) - 2, 3)]
    if not components:
        return JpegCoding()
    luma = _quality(tables.get(components[0][2], 0), _LUMA_SUMS)
    if len(components) != 3:  # greys or inks, which become colours as fine
        return JpegCoding(luma, luma, components=len(components))
    chroma = _quality(tables.get(components[1][2], 0), _CHROMA_SUMS)
    return JpegCoding(luma, chroma, _sampling(components))


def _sums(content: bytes) -> dict[int, int]:
    """Table number to the sum of its 64 steps; a segment can hold several tables, of bytes or of words."""
    sums = {}
    at = 0
    while at < len(content):
        width, number = (2 if content[at] >> 4 else 1), content[at] & 15
        steps = range(at + 1, min(at + 1 + 64 * width, len(content)), width)
        sums[number] = sum(int.from_bytes(content[step : step + width], "big") for step in steps)
        at += 1 + 64 * width
    return sums


def _sampling(components: list[bytes]) -> tuple[int, int]:
    (luma, chroma), third = (component[1] for component in components[:2]), components[2][1]
    across, down = luma >> 4, luma & 15
    return (across, down) if chroma == third == 0x11 and (across, down) in _SAMPLINGS else (1, 1)


_SAMPLINGS = frozenset({(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)})


def _scale(base: npt.NDArray[np.int_]) -> list[int]:
    """Sum of the table of every quality from 1 on, falling (libjpeg's ``jpeg_quality_scaling``)."""
    percents = [5000 // quality if quality < 50 else 200 - 2 * quality for quality in range(1, 101)]
    return [int(np.clip((base * percent + 50) // 100, 1, 255).sum()) for percent in percents]


_LUMA_SUMS, _CHROMA_SUMS = _scale(_LUMA), _scale(_CHROMA)


def _quality(steps: int, sums: list[int]) -> int:
    """The lowest quality that is no coarser than the table."""
    return max(LOWEST_QUALITY, next((quality for quality, own in enumerate(sums, 1) if own <= steps), 100))
