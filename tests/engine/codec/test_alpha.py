"""Who can't be seen is not there: not found, not used, and not in the file that comes out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.engine.conftest import Photo
from tests.engine.pictures import png, webp
from tests.media.pictures import png_chunk
from tests.odd.makers import png_of, saved

from facefleet.engine.codec.alpha import continued
from facefleet.engine.codec.image import decode, encode
from facefleet.engine.fusion import Engine
from facefleet.engine.types import Pixels
from facefleet.errors.input import FaceNotFound
from facefleet.options import FuseOptions


@pytest.fixture(scope="module")
def pair(photo: Photo) -> Pixels:
    """``(512, 1024, 3)`` BGR: two people side by side."""
    images = [cv2.imdecode(np.frombuffer(photo(name), np.uint8), cv2.IMREAD_COLOR) for name in PEOPLE]
    return np.hstack([np.asarray(image, np.uint8)[:512, :512] for image in images if image is not None])


PEOPLE = ("astronaut", "grace_hopper")


def half_seen(pair: Pixels, alpha: int = 0) -> Pixels:
    """``(512, 1024, 4)`` BGRA: the second person stands under this alpha."""
    shown = np.full(pair.shape[:2], 255, np.uint8)
    shown[:, 512:] = alpha
    return np.dstack([pair, shown])


@pytest.mark.parametrize("alpha", [0, 1, 7])
def test_a_person_that_was_erased_is_neither_found_nor_used(engine: Engine, pair: Pixels, alpha: int) -> None:
    data = png(half_seen(pair, alpha))
    assert len(engine.faces(png(pair)).faces) == 2
    assert len(engine.faces(data).faces) == 1
    gone = png(np.dstack([pair, np.full(pair.shape[:2], alpha, np.uint8)]))
    with pytest.raises(FaceNotFound):
        engine.fuse(gone, png(pair))
    with pytest.raises(FaceNotFound):
        engine.fuse(png(pair), gone)


@pytest.mark.parametrize("kind", [".png", ".webp"])
def test_nothing_is_left_of_what_lies_under_no_alpha(engine: Engine, pair: Pixels, photo: Photo, kind: str) -> None:
    target = {".png": png, ".webp": webp}[kind](half_seen(pair))
    fused = engine.fuse(photo("grace_hopper"), target, FuseOptions(target_face="all")).picture.image
    image = cv2.imdecode(np.frombuffer(fused, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image[:, 512:, :3].max() <= (0 if kind == ".png" else 16), "a lossy format blurs its edge"
    assert image[:, 560:, :3].max() <= 2
    assert not image[:, 512:, 3].any()
    assert (image[:, :512, 3] == 255).all()


def test_a_photo_of_16_bits_hides_what_has_no_alpha(pair: Pixels) -> None:
    frame = decode(png((half_seen(pair).astype(np.uint16) * 257).astype(np.uint16)))
    assert frame.alpha is not None
    assert cv2.PSNR(frame.pixels[:, 512:], pair[:, 512:]) < 20
    assert np.array_equal(frame.pixels[:, :512], pair[:, :512])


def test_a_palette_with_clear_colours_hides_them(engine: Engine, pair: Pixels) -> None:
    image = Image.fromarray(cv2.cvtColor(pair, cv2.COLOR_BGR2RGB)).quantize(120)
    indices = np.array(image)
    indices[:, 512:] += 120  # the same colours again, and clear
    double = Image.fromarray(indices, "P")
    double.putpalette([*(image.getpalette() or [])[:360], *(image.getpalette() or [])[:360]])
    data = saved(double, "PNG", transparency=bytes([255] * 120 + [0] * 120))
    assert len(engine.faces(saved(double, "PNG")).faces) == 2
    assert len(engine.faces(data).faces) == 1


def test_a_grey_that_is_clear_hides_what_has_it(astronaut: Pixels) -> None:
    grey = np.asarray(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY), np.uint8)
    grey[100:300, 100:300] = 77
    frame = decode(png_of(grey, 0, png_chunk(b"tRNS", b"\0\x4d")))
    out = cv2.imdecode(np.frombuffer(encode(frame), np.uint8), cv2.IMREAD_UNCHANGED)
    assert out is not None
    assert not out[150:250, 150:250].any()


def test_a_colour_of_16_bits_that_is_clear_hides_what_has_it(astronaut: Pixels) -> None:
    deep = (cv2.cvtColor(astronaut, cv2.COLOR_BGR2RGB).astype(np.uint16) * 257).astype(np.uint16)
    deep[100:300, 100:300] = (0x1234, 0x5678, 0x9ABC)
    frame = decode(png_of(deep, 2, png_chunk(b"tRNS", b"\x12\x34\x56\x78\x9a\xbc")))
    assert frame.alpha is not None
    assert not frame.alpha[110:290, 110:290].any()
    assert (frame.alpha[:90] == 255).all()


def test_a_half_transparent_face_is_found_and_keeps_its_alpha(engine: Engine, photo: Photo, astronaut: Pixels) -> None:
    rows, columns = np.mgrid[:512, :512]
    inside = np.hypot((rows - 110) / 120, (columns - 220) / 100)
    alpha = np.asarray(np.clip((1.15 - inside) * 600, 0, 160), np.uint8)  # an oval with a feathered edge
    data = png(np.dstack([astronaut, alpha]))
    assert len(engine.faces(data).faces) == 1
    fused = decode(engine.fuse(photo("grace_hopper"), data).picture.image)
    assert fused.alpha is not None
    assert np.array_equal(fused.alpha, alpha)


def test_a_cut_out_source_brings_nothing_of_what_was_cut_away(engine: Engine, photo: Photo, astronaut: Pixels) -> None:
    """The same face, and green or red paint where it was cut away: nobody can tell which."""
    rows, columns = np.mgrid[:512, :512]
    alpha = np.where(np.hypot((rows - 110) / 75, (columns - 222) / 52) < 1, np.uint8(255), np.uint8(0))
    results = []
    for paint in ((0, 255, 0), (0, 0, 255)):
        painted = np.where(alpha[:, :, None] > 0, astronaut, np.array(paint, np.uint8))
        results.append(
            decode(engine.fuse(png(np.dstack([painted, alpha])), photo("grace_hopper")).picture.image).pixels
        )
    assert np.array_equal(results[0], results[1])


def test_colours_are_continued_smoothly_and_white_where_there_are_none() -> None:
    pixels = np.zeros((120, 90, 3), np.uint8)
    pixels[:, :30] = (40, 80, 120)
    alpha = np.zeros((120, 90), np.uint8)
    alpha[:, :30] = 255
    filled = continued(pixels, alpha)
    assert np.abs(filled.astype(int) - (40, 80, 120)).max() <= 2
    assert (continued(pixels, np.zeros_like(alpha)) == 255).all()
