"""What the boxes of an AVIF tell, against files of a real encoder and files cut short."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.media.pictures import pixels
from tests.odd.makers import display_p3, pillow

from facefleet.errors.input import ImageAnimated, ImageDecodeFailed, ImageError, ImageTypeUnsupported
from facefleet.media.avif import brands_of, read_avif
from facefleet.media.sniff import Header, ImageType, Limits, sniff, sniff_type

ANY = Limits(max_bytes=10**9, max_pixels=10**9, max_side=10**6, min_side=1)
PHOTO = pillow(pixels(200, 120), "AVIF")


@pytest.mark.parametrize("size", [(96, 80), (80, 96), (65, 64), (257, 99), (1025, 131)])
def test_type_and_size_are_what_the_encoder_wrote(size: tuple[int, int]) -> None:
    assert sniff(pillow(pixels(*size), "AVIF"), ANY) == Header(ImageType.AVIF, *size, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_and_flips_are_those_that_viewers_see(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = pillow(pixels(200, 120), "AVIF", exif=exif.tobytes())
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    header = sniff(data)
    assert (header.width, header.height) == upright.size
    assert header.orientation == orientation


def test_the_colours_are_told() -> None:
    assert read_avif(PHOTO).cicp == (1, 13)
    with_profile = read_avif(pillow(pixels(200, 120), "AVIF", icc_profile=display_p3()))
    assert (with_profile.profile, with_profile.cicp) == (display_p3(), None)


def test_several_frames_are_an_animation() -> None:
    other = [Image.fromarray(np.asarray(pixels(200, 120, 3)[::-1]))]
    with pytest.raises(ImageAnimated):
        sniff(pillow(pixels(200, 120), "AVIF", save_all=True, append_images=other))


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def test_the_brand_may_stand_anywhere_among_the_brands() -> None:
    brands = [b"mif1", b"miaf", b"MA1B", *[b"x%03d" % n for n in range(20)], b"avif"]
    head = box(b"ftyp", b"mif1\0\0\0\0" + b"".join(brands))
    assert sniff_type(head[:128]) is ImageType.AVIF
    assert brands_of(b"\xff\xd8\xff") == frozenset()


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc"])
@pytest.mark.parametrize("first", [True, False])
def test_a_heic_is_named_and_told_the_way_out(brand: bytes, first: bool) -> None:
    head = box(b"ftyp", (brand if first else b"mif1") + b"\0\0\0\0" + b"mif1" + brand)
    with pytest.raises(ImageTypeUnsupported, match=r"HEIC.*JPEG"):
        sniff(head + bytes(200))


def test_a_video_is_no_avif() -> None:
    with pytest.raises(ImageTypeUnsupported):
        sniff(box(b"ftyp", b"isom\0\0\0\0isomiso2avc1mp41") + bytes(200))


def test_a_file_cut_anywhere_is_refused() -> None:
    for end in range(len(PHOTO)):
        with pytest.raises(ImageError):
            sniff(PHOTO[:end], ANY)


def test_a_file_with_any_byte_of_its_boxes_changed_is_read_or_refused() -> None:
    for at in range(min(len(PHOTO), 420)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xFF, PHOTO[at] ^ 0x10):
            try:
                header = sniff(PHOTO[:at] + bytes([value]) + PHOTO[at + 1 :], ANY)
            except ImageError:
                continue
            assert header.width >= 1
            assert header.height >= 1


def test_a_part_that_is_larger_than_the_photo_is_refused() -> None:
    at = PHOTO.index(b"ipco")
    (length,) = struct.unpack_from(">I", PHOTO, at - 4)
    huge = box(b"ispe", bytes(4) + struct.pack(">II", 30_000, 30_000))
    data = (
        PHOTO[: at - 4]
        + struct.pack(">I", length + len(huge))
        + PHOTO[at : at - 4 + length]
        + huge
        + PHOTO[at - 4 + length :]
    )
    for name in (b"iprp", b"meta"):
        start = data.index(name) - 4
        data = (
            data[:start]
            + struct.pack(">I", int.from_bytes(data[start : start + 4], "big") + len(huge))
            + data[start + 4 :]
        )
    with pytest.raises(ImageDecodeFailed, match="larger"):
        sniff(data)


@pytest.mark.parametrize("name", [b"pitm", b"iprp", b"ipco", b"ipma", b"ispe"])
def test_a_file_without_one_of_its_boxes_is_damaged(name: bytes) -> None:
    with pytest.raises(ImageDecodeFailed):
        sniff(PHOTO.replace(name, b"junk"))


def test_boxes_within_boxes_cost_no_time() -> None:
    many = PHOTO[:32] + box(b"free", b"") * 100_000
    with pytest.raises(ImageDecodeFailed):
        sniff(many)
