"""Colours by code points, and 16 bits: the curve comes before the cut to 8 bits."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.engine.pictures import png
from tests.media.pictures import png_chunk, png_with
from tests.odd.makers import display_p3, gamma_curve, icc, linear, png_of, with_icc, xyz

from facefleet.engine.codec.code_points import light_of
from facefleet.engine.codec.icc_matrix import light_of_profile
from facefleet.engine.codec.image import decode
from facefleet.engine.codec.light import Light
from facefleet.engine.codec.profile import to_srgb
from facefleet.engine.types import Pixels

Values = npt.NDArray[np.float64]

# Linear light of sRGB to that of the primaries, rows of RGB (ITU-R BT.2087 and SMPTE EG 432-1, rounded).
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.088, 0.8956]])
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
SRGB = np.eye(3)


def light(pixels: Pixels) -> Values:
    """``(H, W, 3)`` RGB."""
    return linear(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)) / 65535


def srgb_curve(value: Values) -> Values:
    return np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)


def video_curve(value: Values) -> Values:
    return np.where(value < 0.018, 4.5 * value, 1.099 * value**0.45 - 0.099)


def pq_curve(value: Values) -> Values:
    power = (value * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_curve(value: Values) -> Values:
    """Of display light, by way of the scene."""
    scene = value * 203 / 1000
    luma = scene @ np.array([0.2627, 0.678, 0.0593])
    scene = scene * np.maximum(luma, 1e-9)[..., None] ** (1 / 1.2 - 1)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), high))


def told(values: Values, cicp: tuple[int, ...], bits: int = 16) -> bytes:
    top = (1 << bits) - 1
    samples = np.round(np.clip(values, 0, 1) * top).astype(np.uint16 if bits == 16 else np.uint8)
    return png_of(samples, 2, png_chunk(b"cICP", bytes(cicp)))


SPACES = {
    "sRGB": (SRGB, srgb_curve, (1, 13, 0, 1)),
    "sRGB's primaries, a curve of video": (SRGB, video_curve, (1, 1, 0, 1)),
    "linear light": (SRGB, lambda value: value, (1, 8, 0, 1)),
    "Display P3": (TO_P3, srgb_curve, (12, 13, 0, 1)),
    "BT.2020": (TO_BT2020, video_curve, (9, 14, 0, 1)),
    "BT.2020 of 12 bits": (TO_BT2020, video_curve, (9, 15, 0, 1)),
}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", SPACES)
def test_colours_by_code_points_come_back_as_they_were(astronaut: Pixels, name: str, bits: int) -> None:
    matrix, curve, cicp = SPACES[name]
    values = curve(np.clip(light(astronaut) @ matrix.T, 0, 1))
    pixels = decode(told(values, cicp, bits)).pixels
    error = np.abs(pixels.astype(int) - astronaut)
    coarse = bits == 8 and cicp[1] in (1, 8, 14, 15)  # 8 bits are too few in the shadows
    assert np.percentile(error, 99) <= (14 if coarse else 3)
    assert error.mean() < (2.5 if coarse else 0.8)


@pytest.mark.parametrize(("transfer", "curve"), [(16, pq_curve), (18, hlg_curve)])
def test_a_photo_of_high_range_looks_like_itself(astronaut: Pixels, transfer: int, curve: object) -> None:
    assert callable(curve)
    values = curve(np.clip(light(astronaut) @ TO_BT2020.T, 0, 1))
    pixels = decode(told(values, (9, transfer, 0, 1))).pixels.astype(int)
    dark = astronaut.max(axis=2) < 200
    assert np.percentile(np.abs(pixels - astronaut)[dark], 99) <= 4, "up to the knee nothing is mapped"
    assert pixels[~dark].mean() > 0.9 * astronaut[~dark].mean()
    assert pixels.max() < 250, "paper is no highlight"


def test_light_beyond_white_rises_and_keeps_its_hue() -> None:
    mapped = light_of(1, 16)
    assert mapped is not None
    nits = np.array([100, 203, 400, 1000, 4000, 10_000]) / 203
    grey = np.round(pq_curve(np.repeat(nits, 3).reshape(1, -1, 3)) * 65535).astype(np.uint16)
    values = mapped.to_srgb(grey)[0, :, 0].astype(int)
    assert (np.diff(values) >= 0).all()
    assert values[1] < 250 <= values[-1]
    amber = np.round(pq_curve(np.array([[[0.2, 2.0, 4.0]]])) * 65535).astype(np.uint16)
    blue, green, red = mapped.to_srgb(amber)[0, 0]
    assert blue < green < red


def test_the_range_of_video_is_stretched(astronaut: Pixels) -> None:
    values = (16 + cv2.cvtColor(astronaut, cv2.COLOR_BGR2RGB) / 255 * 219) / 255
    pixels = decode(told(values, (1, 13, 0, 0), 8)).pixels
    assert np.abs(pixels.astype(int) - astronaut).max() <= 1


@pytest.mark.parametrize("cicp", [(2, 2, 0, 1), (250, 13, 0, 1), (9, 99, 0, 1), (9, 16, 9, 1), (9, 16, 0, 7)])
def test_code_points_that_say_nothing_leave_the_word_to_the_profile(astronaut: Pixels, cicp: tuple[int, ...]) -> None:
    plain = png_with(png(astronaut), b"gAMA", struct.pack(">I", 100_000))
    assert np.array_equal(decode(png_with(plain, b"cICP", bytes(cicp))).pixels, decode(plain).pixels)


def ramp() -> Values:
    """``(64, 1024)``: shadows, from black to a twentieth of white as sRGB stores it."""
    return np.tile(np.linspace(0, 0.2, 1024), (64, 1))


CURVES: dict[str, tuple[Callable[[Values], Values], bytes]] = {
    "gAMA": (lambda value: value, png_chunk(b"gAMA", struct.pack(">I", 100_000))),
    "a steeper gAMA": (lambda value: value ** (1 / 1.4), png_chunk(b"gAMA", struct.pack(">I", round(100_000 / 1.4)))),
}


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("name", CURVES)
def test_shadows_of_16_bits_have_every_step(name: str, grey: bool) -> None:
    curve, chunk = CURVES[name]
    stored = np.asarray(np.round(curve(linear(ramp() * 255) / 65535) * 65535), np.uint16)
    data = png_of(stored if grey else np.dstack([stored] * 3), 0 if grey else 2, chunk)
    values = decode(data).pixels[0, :, 1].astype(int)
    assert set(np.diff(values)) <= {0, 1}, "no step is left out"
    assert values[0] == 0
    assert abs(values[-1] - 51) <= 1


def profile_of(curve: bytes) -> bytes:
    tags = {b"wtpt": xyz(0.9642, 1, 0.8249), b"rXYZ": xyz(0.43607, 0.22249, 0.01392)}
    tags |= {b"gXYZ": xyz(0.38515, 0.71687, 0.09708), b"bXYZ": xyz(0.14307, 0.06061, 0.7141)}
    return icc(b"RGB ", b"mntr", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def parametric(kind: int, *values: float) -> bytes:
    numbers = [round(value * 65536) for value in values]
    return b"para\0\0\0\0" + struct.pack(f">HH{len(numbers)}i", kind, 0, *numbers)


TABLE = b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *np.round(np.linspace(0, 1, 1024) ** 1.8 * 65535).astype(int))
PROFILES = {
    "linear": profile_of(b"curv\0\0\0\0" + struct.pack(">I", 0)),
    "gamma": profile_of(gamma_curve(1.8)),
    "table": profile_of(TABLE),
    "parametric 0": profile_of(parametric(0, 1.8)),
    "parametric 1": profile_of(parametric(1, 1.8, 0.9, 0.1)),
    "parametric 2": profile_of(parametric(2, 1.8, 0.9, 0.05, 0.02)),
    "parametric 3": profile_of(parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)),
    "parametric 4": profile_of(parametric(4, 2.2, 0.95, 0.05, 0.1, 0.04, 0.0, 0.0)),
    "Display P3": display_p3(),
}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_of_16_bits_means_what_it_means_in_8(astronaut: Pixels, name: str) -> None:
    reading = light_of_profile(PROFILES[name])
    assert isinstance(reading, Light)
    deep = reading.to_srgb(astronaut.astype(np.uint16) * 257)
    by_lcms = astronaut.copy()
    to_srgb(by_lcms, PROFILES[name], grey=False)
    error = np.abs(deep.astype(int) - by_lcms)
    assert np.percentile(error, 99) <= 2
    assert error.max() <= 8


def test_shadows_of_16_bits_with_a_linear_profile_have_every_step() -> None:
    stored = np.round(linear(ramp() * 255)).astype(np.uint16)
    chunk = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(PROFILES["linear"]))
    values = decode(png_of(np.dstack([stored] * 3), 2, chunk)).pixels[0, :, 1].astype(int)
    assert set(np.diff(values)) <= {0, 1}


def test_a_damaged_profile_is_no_light(astronaut: Pixels) -> None:
    for profile in PROFILES.values():
        for end in range(100, len(profile), 37):
            light_of_profile(profile[:end])  # none, or one: never an error
    assert light_of_profile(with_icc(b"\xff\xd8", display_p3())[:90]) is None


def test_16_bits_are_turned_in_strips() -> None:
    deep = np.full((2000, 2000, 3), 30_000, np.uint16)
    reading = light_of(12, 13)
    assert reading is not None
    tracemalloc.start()
    reading.to_srgb(deep)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * 2000 * 3 + 20_000_000
