from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.pictures import jpeg_with_orientation
from tests.media.pictures import jpeg_segment
from tests.odd.makers import jpeg_with, jpeg_without, pillow

from facefleet.engine.codec.image import decode, encode
from facefleet.engine.codec.jpeg_coding import LOWEST_QUALITY, JpegCoding, read_coding
from facefleet.engine.types import Pixels

SAMPLINGS = {0: (1, 1), 1: (2, 1), 2: (2, 2)}


@pytest.mark.parametrize("quality", [60, 75, 85, 92, 95, 100])
@pytest.mark.parametrize("subsampling", SAMPLINGS)
def test_what_was_compressed_comes_out_of_the_same_size_and_hardly_changed(
    astronaut: Pixels, quality: int, subsampling: int
) -> None:
    target = pillow(astronaut, quality=quality, subsampling=subsampling)
    frame = decode(target)
    assert frame.coding == JpegCoding(quality, quality, SAMPLINGS[subsampling])
    result = encode(frame)
    assert read_coding(result) == frame.coding
    assert len(result) < 1.1 * len(target)
    assert cv2.PSNR(decode(result).pixels, frame.pixels) > 47


def test_a_poor_photo_comes_out_at_the_lowest_quality_that_we_write(astronaut: Pixels) -> None:
    assert decode(pillow(astronaut, quality=20)).coding.luma == LOWEST_QUALITY


def test_tables_of_a_camera_are_met_by_the_next_finer_quality(astronaut: Pixels) -> None:
    tables = [[n // 3 + 2 for n in range(64)], [n // 2 + 2 for n in range(64)]]
    coding = decode(pillow(astronaut, qtables=tables)).coding
    assert LOWEST_QUALITY < coding.luma < 100
    assert LOWEST_QUALITY < coding.chroma < 100
    again = read_coding(encode(decode(pillow(astronaut, qtables=tables))))
    assert (again.luma, again.chroma) == (coding.luma, coding.chroma)


def test_a_photo_turned_by_a_quarter_swaps_its_sampling(astronaut: Pixels) -> None:
    stored = pillow(np.rot90(astronaut).copy(), quality=80, subsampling=1)
    assert decode(jpeg_with_orientation(stored, 6)).coding.sampling == (1, 2)
    assert read_coding(encode(decode(jpeg_with_orientation(stored, 6)))).sampling == (1, 2)


def test_greys_and_inks_come_out_as_fine_as_they_were(astronaut: Pixels) -> None:
    assert decode(pillow(astronaut, mode="L", quality=70)).coding == JpegCoding(70, 70, components=1)
    assert decode(pillow(astronaut, mode="CMYK", quality=70)).coding == JpegCoding(70, 70, components=4)


@pytest.mark.parametrize("content", [b"", b"\0", b"\x10" + bytes(41), b"\0" * 64, b"\xff" * 65, bytes(65) * 900])
def test_tables_that_are_damaged_are_survived(astronaut: Pixels, content: bytes) -> None:
    coding = read_coding(jpeg_with(jpeg_without(pillow(astronaut), 0xDB), 0xDB, content))
    assert LOWEST_QUALITY <= coding.luma <= 100


def test_tables_of_words_are_read(astronaut: Pixels) -> None:
    photo = jpeg_without(pillow(astronaut), 0xDB)
    words = b"".join(bytes([0x10 | n]) + (16).to_bytes(2, "big") * 64 for n in range(2))
    narrow = b"".join(bytes([n]) + bytes([16]) * 64 for n in range(2))
    wide_photo = photo[:2] + jpeg_segment(0xDB, words) + photo[2:]
    assert read_coding(wide_photo) == read_coding(photo[:2] + jpeg_segment(0xDB, narrow) + photo[2:])
