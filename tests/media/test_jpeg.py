"""What the bytes of a JPEG tell: never less than a decoder sees, and where rows are missing."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import pytest
from tests.media.pictures import encoded, exif, jpeg, jpeg_segment, jpeg_with_exif, pixels
from tests.odd.makers import frame_header, pillow, several_pictures, stray

from facefleet.errors.input import ImageDecodeFailed
from facefleet.media.jpeg import read_jpeg, read_scans
from facefleet.media.parts import jpeg_segments
from facefleet.media.sniff import sniff

STRAY = {
    "a byte": b"\0",
    "seven bytes": b"\x10\x20\x30\x40\x50\x60\x70",
    "zeros": bytes(4000),
    "a marker without its first byte": b"\0\xe1\0\x3c" + bytes(58),
    "a stuffed byte": b"\xff\0",
    "fill and a stuffed byte": b"\xff\xff\xff\0\x12",
    "fill": b"\xff" * 300,
    "restart markers": b"\xff\xd0\xff\xd1",
    "a segment of no length": b"\xff\xec\0\0",
    "a segment of length one": b"\xff\xec\0\1",
}


@pytest.mark.parametrize("name", STRAY)
def test_what_lies_between_segments_is_passed_over_as_a_decoder_does(name: str) -> None:
    data = stray(jpeg(), STRAY[name])
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None, "the decoder reads it"
    header = sniff(data)
    assert (header.width, header.height) == (96, 80)


def test_behind_what_is_passed_over_the_orientation_is_found() -> None:
    data = jpeg_with_exif(jpeg(), exif(8))
    assert sniff(stray(data, bytes(7))).orientation == 8


def test_an_orientation_behind_the_frame_header_counts() -> None:
    data = jpeg()
    at = next(part.start - 4 for part in jpeg_segments(data) if part.name == b"\xda")
    assert sniff(data[:at] + jpeg_segment(0xE1, b"Exif\0\0" + exif(6)) + data[at:]).orientation == 6


def test_too_much_between_segments_is_damage() -> None:
    with pytest.raises(ImageDecodeFailed, match="no marker"):
        sniff(stray(jpeg(), bytes(1_000_001)))


def test_a_header_without_pixels_is_damage() -> None:
    data = jpeg()
    at = next(part.start - 4 for part in jpeg_segments(data) if part.name == b"\xda")
    with pytest.raises(ImageDecodeFailed):
        read_jpeg(data[:at] + b"\xff\xd9")


def test_the_end_is_the_first_pictures_own() -> None:
    first, second = jpeg(), jpeg(200, 100)
    assert read_scans(several_pictures(first, second)).end < len(first) + 100
    assert read_scans(several_pictures(first, second)).closed
    both = read_scans(first[:-2] + second)
    assert (both.end, both.closed, both.damage) == (len(first) - 2, False, "")


def test_a_preview_in_a_segment_is_no_end() -> None:
    data = jpeg()
    scans = read_scans(data[:2] + jpeg_segment(0xE1, b"Exif\0\0" + exif(1) + jpeg(64, 64)) + data[2:])
    assert scans.closed
    assert scans.end == len(data) - 2 + 4 + 6 + len(exif(1)) + len(jpeg(64, 64))


RESTARTING = encoded(pixels(320, 240), ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
PROGRESSIVE = encoded(pixels(320, 240), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(320, 240), (321, 239), (65, 64)])
def test_restart_markers_are_counted_by_the_book(size: tuple[int, int], subsampling: int) -> None:
    """Of whole photos of every sampling none is refused."""
    every: list[dict[str, Any]] = [
        {"restart_marker_blocks": 1},
        {"restart_marker_rows": 1},
        {"restart_marker_blocks": 7},
    ]
    for options in every:
        data = pillow(pixels(*size), subsampling=subsampling, **options)
        assert read_scans(data[:-2]).damage == ""
        data = pillow(pixels(*size), mode="L", **options)
        assert read_scans(data[:-2]).damage == ""
        data = pillow(pixels(*size), subsampling=subsampling, progressive=True, **options)
        assert read_scans(data[:-2]).damage == ""


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_a_cut_photo_is_told_at_the_door_by_its_restart_markers_or_scans(share: float) -> None:
    for data in (RESTARTING, PROGRESSIVE) if share < 0.6 else (RESTARTING,):
        with pytest.raises(ImageDecodeFailed, match=r"missing|header"):
            sniff(data[: int(len(data) * share)])


def test_a_photo_without_scan_of_a_colour_is_told() -> None:
    data = bytearray(jpeg())
    at = frame_header(bytes(data))
    data[at + 6 + 6] = 77  # a component that no scan names
    assert read_scans(bytes(data[:-2])).damage


def test_nothing_is_held_against_a_closed_file() -> None:
    data = RESTARTING[: len(RESTARTING) // 2] + b"\xff\xd9"
    assert read_scans(data).damage == ""


def test_a_frame_header_of_zero_samplings_never_fails() -> None:
    for value in (0x00, 0x01, 0x10, 0xFF):
        data = bytearray(RESTARTING[:-2])
        at = frame_header(bytes(data))
        for component in range(3):
            data[at + 6 + 3 * component + 1] = value
        read_scans(bytes(data))


def test_a_restart_interval_of_an_endless_photo_is_counted_at_once() -> None:
    data = RESTARTING[:-2]
    at = frame_header(data)
    with pytest.raises(ImageDecodeFailed, match="rows"):
        sniff(data[: at + 1] + struct.pack(">HH", 5000, 5000) + data[at + 5 :])
