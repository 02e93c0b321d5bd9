from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import as_stored, jpeg, jpeg_with_orientation, png, png_with_orientation, webp
from tests.media.pictures import png_chunk
from tests.odd.makers import interlaced_png, packed_grey_png, pillow, png_of

from facefleet.engine.codec.alpha import FAINT
from facefleet.engine.codec.image import Frame, decode, encode
from facefleet.engine.types import Pixels
from facefleet.errors.input import ImageDecodeFailed, ImageTooLargePixels, ImageTypeUnsupported
from facefleet.media.sniff import ImageType, Limits, sniff


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_decodes_to_the_same_upright_pixels(astronaut: Pixels, orientation: int) -> None:
    upright = astronaut[:400]  # not square: a missing turn would show
    stored = png_with_orientation(png(as_stored(upright, orientation)), orientation)
    assert np.array_equal(decode(stored).pixels, upright)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_jpeg_is_turned_by_us_and_only_once(astronaut: Pixels, orientation: int) -> None:
    upright = astronaut[:400]
    stored = jpeg_with_orientation(jpeg(as_stored(upright, orientation)), orientation)
    assert cv2.PSNR(decode(stored).pixels, upright) > 30


def test_the_result_carries_no_orientation(astronaut: Pixels) -> None:
    frame = decode(jpeg_with_orientation(jpeg(as_stored(astronaut, 6)), 6))
    assert sniff(encode(frame)).orientation == 1


def test_grey_becomes_three_equal_channels(astronaut: Pixels) -> None:
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    for data in (png(grey), webp(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))):
        pixels = decode(data).pixels
        assert np.array_equal(pixels, np.dstack([grey, grey, grey]))
    assert decode(jpeg(grey)).pixels.shape == (512, 512, 3)


def test_sixteen_bits_become_eight(astronaut: Pixels) -> None:
    deep = astronaut.astype(np.uint16) * 257
    assert np.array_equal(decode(png(deep)).pixels, astronaut)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_alpha_comes_back_in_the_result(astronaut: Pixels, depth: type[np.uint8] | type[np.uint16]) -> None:
    alpha = np.tile(np.arange(512, dtype=np.uint8)[:, None] // 2, (1, 512))
    scale = 1 if depth is np.uint8 else 257
    frame = decode(png((np.dstack([astronaut, alpha]).astype(depth) * scale).astype(depth)))
    assert frame.alpha is not None
    assert np.array_equal(frame.alpha, alpha)
    again = cv2.imdecode(np.frombuffer(encode(frame), np.uint8), cv2.IMREAD_UNCHANGED)
    assert again is not None
    assert np.array_equal(again[:, :, 3], alpha)
    assert np.array_equal(again[alpha >= FAINT], np.dstack([astronaut, alpha])[alpha >= FAINT])
    assert not again[alpha == 0].any()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_the_transparent_grey_of_a_png_becomes_alpha(astronaut: Pixels, depth: int) -> None:
    grey = np.asarray(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY), np.uint8)
    clear = 1 << (depth - 1)
    chunk = png_chunk(b"tRNS", clear.to_bytes(2, "big"))
    if depth < 8:
        data, shift = packed_grey_png(astronaut, depth, chunk), 8 - depth
    else:
        data, shift = png_of(grey.astype(np.uint16) * 256 if depth == 16 else grey, 0, chunk), 0
    alpha = decode(data).alpha
    assert alpha is not None
    assert np.array_equal(alpha == 0, grey >> shift == min(clear, 128))
    assert (alpha == 0).any()
    assert set(np.unique(alpha)) == {0, 255}


def test_a_palette_with_alpha_keeps_it(astronaut: Pixels) -> None:
    data = pillow(astronaut, "PNG", "P", transparency=bytes([77] * 256))
    frame = decode(data)
    assert frame.alpha is not None
    assert (frame.alpha == 77).all()
    assert decode(encode(frame)).alpha is not None


def test_an_interlaced_png_is_the_same_photo(astronaut: Pixels) -> None:
    for height, width in ((512, 512), (501, 503), (1, 1), (3, 5)):
        pixels = astronaut[:height, :width].copy()
        assert np.array_equal(decode(interlaced_png(pixels), Limits(min_side=1)).pixels, pixels)


def test_alpha_of_a_webp_is_turned_with_its_colours(astronaut: Pixels) -> None:
    alpha = np.full((512, 512), 255, np.uint8)
    alpha[:100] = 7
    frame = decode(webp(np.dstack([astronaut, alpha])))
    assert frame.type is ImageType.WEBP
    assert frame.alpha is not None
    assert np.array_equal(frame.alpha, alpha)


@pytest.mark.parametrize("kind", [ImageType.JPEG, ImageType.PNG, ImageType.WEBP])
def test_the_format_that_came_in_goes_out(astronaut: Pixels, kind: ImageType) -> None:
    data = encode(Frame(astronaut, kind))
    assert sniff(data).type is kind
    assert cv2.PSNR(decode(data).pixels, astronaut) > 35


def test_a_jpeg_result_keeps_its_colours_at_full_resolution(astronaut: Pixels) -> None:
    data = encode(Frame(astronaut, ImageType.JPEG))
    start = data.index(b"\xff\xc0")
    sampling = [data[start + 11 + 3 * component] for component in range(3)]
    assert sampling == [0x11, 0x11, 0x11]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("encoder", [jpeg, png, webp])
def test_a_file_cut_short_is_refused(astronaut: Pixels, encoder: object, share: float) -> None:
    assert callable(encoder)
    data = encoder(astronaut)
    with pytest.raises(ImageDecodeFailed):
        decode(data[: int(len(data) * share)])


def test_a_real_photo_cut_anywhere_is_refused(photo: Photo) -> None:
    data = photo("grace_hopper")
    for cut in np.linspace(200, len(data) - 3, 40).astype(int):
        with pytest.raises(ImageDecodeFailed):
            decode(data[:cut])


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(astronaut: Pixels) -> None:
    assert decode(jpeg(astronaut) + b"\0" * 1000).pixels.shape == (512, 512, 3)


def test_a_preview_inside_a_cut_jpeg_does_not_hide_the_cut(astronaut: Pixels) -> None:
    preview = jpeg(np.ascontiguousarray(astronaut[::8, ::8]))
    segment = b"\xff\xe2" + (len(preview) + 2).to_bytes(2, "big") + preview
    whole = jpeg(astronaut)
    for end in (200, len(whole) // 2):
        with pytest.raises(ImageDecodeFailed):
            decode(whole[:2] + segment + whole[2:end])


def test_damage_inside_the_pixels_of_a_png_is_refused(astronaut: Pixels) -> None:
    data = bytearray(png(astronaut))
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    with pytest.raises(ImageDecodeFailed):
        decode(bytes(data))


def test_limits_are_checked_before_anything_is_decoded(photo: Photo) -> None:
    with pytest.raises(ImageTooLargePixels):
        decode(photo("astronaut"), Limits(max_pixels=1000))


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageTypeUnsupported):
        decode(b"GIF89a" + bytes(100))
