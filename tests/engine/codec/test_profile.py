"""Colours: what a file says by its profile is what comes out as sRGB, whatever the container."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.engine.conftest import Photo
from tests.engine.pictures import jpeg_with_orientation, png
from tests.media.pictures import encoded, png_chunk, png_with, riff, riff_chunk, vp8x
from tests.odd.makers import (
    CHROMATICITIES,
    display_p3,
    gamma_curve,
    grey_profile,
    icc,
    ink_profile,
    jpeg_with,
    jpeg_without,
    pillow,
    png_of,
    saved,
    srgb_profile,
    with_icc,
    xyz,
    zeros_packed,
)

from facefleet.engine.codec.image import decode
from facefleet.engine.codec.profile import embedded_profile, inks_to_srgb
from facefleet.engine.fusion import Engine
from facefleet.engine.types import Pixels
from facefleet.media.sniff import ImageType

COLOURS = [(200, 60, 60), (90, 180, 120), (60, 90, 200), (224, 172, 140), (141, 85, 60), (128, 128, 128), (20, 20, 20)]


def patches() -> Pixels:
    """Squares of 64 px in ``COLOURS``, BGR."""
    return np.repeat(np.repeat(np.array([[colour[::-1] for colour in COLOURS]], np.uint8), 64, 0), 64, 1)


def seen(data: bytes) -> np.ndarray:
    """``(n, 3)`` RGB in the middle of each square."""
    return decode(data).pixels[32, 32::64, ::-1].astype(int)


def from_p3(rgb: tuple[int, int, int]) -> np.ndarray:
    """Display P3 with a curve of 2.2 as sRGB, by the published matrices (CSS Color 4, section 10.9)."""
    linear = (np.array(rgb) / 255) ** 2.2
    matrix = [[1.2249401, -0.2249402, 0], [-0.0420570, 1.0420570, 0], [-0.0196375, -0.0786361, 1.0982735]]
    return _srgb(np.array(matrix) @ linear)


def _srgb(linear: np.ndarray) -> np.ndarray:
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return np.round(np.clip(curve, 0, 1) * 255)


def in_jpeg(profile: bytes) -> bytes:
    return with_icc(encoded(patches(), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100), profile)


def in_png(profile: bytes) -> bytes:
    return png_with(encoded(patches(), ".png"), b"iCCP", b"p\0\0" + zlib.compress(profile))


def in_webp(profile: bytes) -> bytes:
    image = patches()
    body = encoded(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)[12:]
    return riff(vp8x(0x20, image.shape[1], image.shape[0]), riff_chunk(b"ICCP", profile), body)


WRAP: list[Callable[[bytes], bytes]] = [in_jpeg, in_png, in_webp]


@pytest.mark.parametrize("wrap", WRAP)
def test_display_p3_becomes_srgb(wrap: Callable[[bytes], bytes]) -> None:
    expected = np.array([from_p3(colour) for colour in COLOURS])
    assert np.abs(seen(wrap(display_p3())) - expected).max() <= 3
    assert np.abs(expected - np.array(COLOURS)).max() > 15, "it is worth converting"


@pytest.mark.parametrize("wrap", WRAP)
def test_a_profile_of_srgb_changes_no_pixel(wrap: Callable[[bytes], bytes]) -> None:
    assert np.array_equal(seen(wrap(srgb_profile())), seen(wrap(b"noise" * 100)))


def test_a_profile_in_many_segments_is_put_together() -> None:
    profile = display_p3()
    photo = encoded(patches(), ".jpg")
    for number in range(9, 0, -1):
        piece = profile[(number - 1) * 40 :][: 40 if number < 9 else None]
        photo = jpeg_with(photo, 0xE2, b"ICC_PROFILE\0" + bytes([number, 9]) + piece)
    assert embedded_profile(photo, ImageType.JPEG) == profile


def test_a_photo_in_p3_is_turned_upright_too() -> None:
    plain = in_jpeg(display_p3())
    stored = encoded(np.rot90(patches()).copy(), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100)
    assert np.abs(seen(jpeg_with_orientation(with_icc(stored, display_p3()), 6)) - seen(plain)).max() <= 2


def test_greys_follow_their_profile() -> None:
    grey = np.repeat(np.repeat(np.array([[0, 40, 128, 200, 255]], np.uint8), 64, 0), 64, 1)
    expected = _srgb((np.array([0, 40, 128, 200, 255]) / 255) ** 1.4)
    for data in (
        with_icc(encoded(grey, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100), grey_profile(1.4)),
        png_of(grey, 0, png_chunk(b"iCCP", b"p\0\0" + zlib.compress(grey_profile(1.4)))),
        png_of(grey, 0, png_chunk(b"gAMA", struct.pack(">I", round(100_000 / 1.4)))),
    ):
        found = seen(data)
        assert np.abs(found[:, 1] - expected).max() <= 3
        assert np.ptp(found, axis=1).max() == 0, "grey stays grey"


def test_linear_light_in_a_png_is_brightened() -> None:
    expected = np.array([_srgb(np.array(colour) / 255) for colour in COLOURS])
    assert np.abs(seen(png_with(encoded(patches(), ".png"), b"gAMA", struct.pack(">I", 100_000))) - expected).max() <= 3


def test_the_primaries_of_a_png_are_followed() -> None:
    chunk = struct.pack(">8I", *CHROMATICITIES["Display P3"])
    expected = np.array([from_p3(colour) for colour in COLOURS])
    assert np.abs(seen(png_with(encoded(patches(), ".png"), b"cHRM", chunk)) - expected).max() <= 3


@pytest.mark.parametrize("gamma", [45_455, 45_454, 46_000])
def test_the_gamma_that_means_srgb_changes_no_pixel(gamma: int) -> None:
    plain = encoded(patches(), ".png")
    chunk = struct.pack(">8I", *CHROMATICITIES["sRGB"])
    said = png_with(png_with(plain, b"cHRM", chunk), b"gAMA", struct.pack(">I", gamma))
    assert np.array_equal(decode(said).pixels, patches())


def test_the_srgb_chunk_wins_over_gamma_and_a_profile_over_it() -> None:
    linear = png_with(encoded(patches(), ".png"), b"gAMA", struct.pack(">I", 100_000))
    assert np.array_equal(decode(png_with(linear, b"sRGB", b"\0")).pixels, patches())
    both = png_with(in_png(display_p3()), b"sRGB", b"\0")
    assert np.array_equal(decode(both).pixels, decode(in_png(display_p3())).pixels)


def test_alpha_is_not_taken_for_a_colour() -> None:
    image = np.dstack([patches(), np.full(patches().shape[:2], 77, np.uint8)])
    frame = decode(png_with(encoded(image, ".png"), b"iCCP", b"p\0\0" + zlib.compress(display_p3())))
    assert np.array_equal(frame.pixels, decode(in_png(display_p3())).pixels)
    assert frame.alpha is not None
    assert (frame.alpha == 77).all()


@pytest.mark.parametrize("adobe", [True, False])
def test_inks_without_a_profile_are_as_bright_as_their_paper(adobe: bool) -> None:
    data = pillow(patches(), "JPEG", "CMYK", quality=100, subsampling=0)
    assert np.abs(seen(data if adobe else jpeg_without(data, 0xEE)) - np.array(COLOURS)).max() <= 3


def test_inks_stored_as_brightness_and_colour_are_those_inks() -> None:
    """YCCK, as Photoshop writes it: transform 2 of the Adobe marker (ITU-T T.872, 6.5.3)."""
    inks = Image.fromarray(np.ascontiguousarray(patches()[..., ::-1])).convert("CMYK")
    *coloured, black = (np.asarray(plane) for plane in inks.split())
    luma = cv2.cvtColor(np.dstack(coloured), cv2.COLOR_RGB2YCrCb)
    y, red, blue = cv2.split(255 - luma)  # Pillow writes the negative
    stored = Image.fromarray(np.dstack([y, blue, red, black]), "CMYK")
    data = bytearray(saved(stored, "JPEG", quality=100, subsampling=0))
    marker = data.index(b"Adobe\x00")
    assert data[marker + 11] == 0
    data[marker + 11] = 2
    plain = pillow(patches(), "JPEG", "CMYK", quality=100, subsampling=0)
    assert np.abs(seen(bytes(data)) - seen(plain)).max() <= 4


def test_inks_follow_their_profile() -> None:
    """Each amount of ink as the profile's table says, in Lab (ICC.1:2001-04, lut16Type)."""
    data = with_icc(pillow(patches(), "JPEG", "CMYK", quality=100, subsampling=0), ink_profile())
    red, green, blue = (np.array(COLOURS) / 255).T
    light = 0.2 * red + 0.7 * green + 0.1 * blue
    lab = np.stack([light * 100, (0.2 * (red - green)) * 255, (0.2 * (green - blue)) * 255], axis=-1)
    expected = cv2.cvtColor(lab[None].astype(np.float32), cv2.COLOR_Lab2RGB)[0] * 255
    assert np.abs(seen(data) - expected).max() <= 8, "eight: the table's light is scaled to the darkest ink"


def test_a_screens_profile_is_not_used_on_inks() -> None:
    data = pillow(patches(), "JPEG", "CMYK", quality=100)
    assert inks_to_srgb(data, display_p3()) is None
    assert np.array_equal(decode(with_icc(data, display_p3())).pixels, decode(data).pixels)


UNUSABLE = {
    "noise": bytes(range(256)) * 4,
    "cut": display_p3()[:250],
    "of inks": ink_profile(),
    "of greys": grey_profile(1.4),
    "of no known space": icc(b"HSV ", b"mntr", {b"wtpt": xyz(1, 1, 1)}),
    "without tags": icc(b"RGB ", b"mntr", {}),
    "without colorants": icc(b"RGB ", b"mntr", {b"wtpt": xyz(1, 1, 1), b"rTRC": gamma_curve(2.2)}),
    "of four megabytes": display_p3() + bytes(4_000_000),
}


@pytest.mark.parametrize("wrap", WRAP)
@pytest.mark.parametrize("name", UNUSABLE)
def test_a_profile_that_cannot_be_used_is_passed_over(name: str, wrap: Callable[[bytes], bytes]) -> None:
    assert np.array_equal(seen(wrap(UNUSABLE[name])), seen(wrap(srgb_profile())))


def test_a_profile_that_is_a_bomb_is_not_unpacked() -> None:
    assert (
        embedded_profile(png_with(encoded(patches(), ".png"), b"iCCP", b"p\0\0" + zeros_packed(64)), ImageType.PNG)
        is None
    )


def test_a_fusion_sees_the_colours_that_a_profile_means(engine: Engine, photo: Photo) -> None:
    wide = with_icc(photo("portrait_man"), display_p3())
    plain, other = png(decode(wide).pixels), photo("smiling_man")
    assert np.abs(decode(wide).pixels.astype(int) - decode(photo("portrait_man")).pixels).max() > 20
    for pairs in (((wide, other), (plain, other)), ((other, wide), (other, plain))):
        fused, expected = (decode(engine.fuse(*pair).picture.image).pixels.astype(int) for pair in pairs)
        assert np.abs(fused - expected).mean() < 1.5  # a JPEG beside a PNG, its points found in the colours as stored


def test_a_photo_drawn_on_has_the_faces_that_are_counted(engine: Engine, photo: Photo) -> None:
    wide = with_icc(photo("group"), display_p3())
    assert decode(engine.draw(wide).image).pixels.shape == decode(wide).pixels.shape
    assert len(engine.faces(wide).faces) == 6
