"""Metadata that is there twice: the first that is valid counts, and the result carries none of it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from tests.engine.pictures import jpeg, png, webp
from tests.media.pictures import png_chunk, png_with, riff, riff_chunk, vp8x
from tests.odd.makers import display_p3, jpeg_with, srgb_profile, with_icc, wrong_check_sum

from facefleet.engine.codec.image import decode, encode
from facefleet.engine.codec.profile import embedded_profile
from facefleet.engine.types import Pixels
from facefleet.media.parts import png_chunks
from facefleet.media.sniff import ImageType

Holder = Callable[[Pixels, list[bytes]], bytes]


def in_jpeg(pixels: Pixels, profiles: list[bytes]) -> bytes:
    data = jpeg(pixels)
    for profile in reversed(profiles):
        data = with_icc(data, profile)
    return data


def in_png(pixels: Pixels, profiles: list[bytes]) -> bytes:
    data = png(pixels)
    for profile in reversed(profiles):
        data = png_with(data, b"iCCP", b"x\0\0" + zlib.compress(profile))
    return data


def in_webp(pixels: Pixels, profiles: list[bytes]) -> bytes:
    chunks = [riff_chunk(b"ICCP", profile) for profile in profiles]
    return riff(vp8x(0x20, pixels.shape[1], pixels.shape[0]), *chunks, webp(pixels)[12:])


HOLDERS = {ImageType.JPEG: in_jpeg, ImageType.PNG: in_png, ImageType.WEBP: in_webp}
BROKEN = {"noise": bytes(range(256)) * 3, "cut short": display_p3()[:300], "too short": b"x" * 20}


@pytest.mark.parametrize("kind", HOLDERS)
def test_of_two_profiles_the_first_counts(astronaut: Pixels, kind: ImageType) -> None:
    for profiles in ([display_p3(), srgb_profile()], [srgb_profile(), display_p3()]):
        assert embedded_profile(HOLDERS[kind](astronaut, profiles), kind) == profiles[0]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("kind", HOLDERS)
def test_a_broken_profile_gives_way_to_the_next(astronaut: Pixels, kind: ImageType, broken: str) -> None:
    assert embedded_profile(HOLDERS[kind](astronaut, [BROKEN[broken], display_p3()]), kind) == display_p3()


def test_a_profile_of_several_segments_is_not_mixed_with_another(astronaut: Pixels) -> None:
    long = display_p3() + bytes(70_000)
    data = with_icc(with_icc(jpeg(astronaut), srgb_profile() + bytes(70_000)), long)
    assert embedded_profile(data, ImageType.JPEG) == long


def test_many_profiles_cost_no_time(astronaut: Pixels) -> None:
    data = jpeg(astronaut)
    segment = jpeg_with(b"\xff\xd8", 0xE2, b"ICC_PROFILE\0\1\1" + bytes(20))[2:]
    assert embedded_profile(data[:2] + segment * 60_000 + data[2:], ImageType.JPEG) is None


GAMMA = struct.Struct(">I").pack


def test_of_colour_chunks_the_first_with_a_right_check_sum_counts(astronaut: Pixels) -> None:
    plain, linear = png(astronaut), png_with(png(astronaut), b"gAMA", GAMMA(100_000))
    twice = png_with(png_with(plain, b"gAMA", GAMMA(45_455)), b"gAMA", GAMMA(100_000))
    assert np.array_equal(decode(twice).pixels, decode(linear).pixels)
    damaged = wrong_check_sum(png_with(twice, b"gAMA", GAMMA(20_000)), b"gAMA")
    assert np.array_equal(decode(damaged).pixels, decode(linear).pixels)


def test_code_points_win_over_all_and_the_first_of_them_counts(astronaut: Pixels) -> None:
    data = png_with(in_png(astronaut, [display_p3()]), b"gAMA", GAMMA(100_000))
    data = png_with(png_with(data, b"cICP", bytes([9, 16, 0, 1])), b"cICP", bytes([1, 13, 0, 1]))
    assert np.array_equal(decode(data).pixels, astronaut)


def test_what_stands_behind_the_pixels_says_nothing_of_them(astronaut: Pixels) -> None:
    data = png(astronaut)
    assert np.array_equal(decode(data[:-12] + png_chunk(b"gAMA", GAMMA(100_000)) + data[-12:]).pixels, astronaut)


def test_the_result_carries_one_statement_on_colours(astronaut: Pixels) -> None:
    data = png_with(in_png(astronaut, [display_p3(), srgb_profile()]), b"cICP", bytes([12, 13, 0, 1]))
    names = [part.name for part in png_chunks(encode(decode(data)))]
    assert names.count(b"sRGB") == 1
    assert not {b"iCCP", b"cICP", b"gAMA", b"cHRM", b"mDCV", b"cLLI", b"eXIf"} & set(names)
    assert cv2.PSNR(decode(encode(decode(data))).pixels, decode(data).pixels) > 60
