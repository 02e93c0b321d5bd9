"""What a photo tells about its camera, place and owner stays behind: a result holds pixels and nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from tests.engine.conftest import Photo
from tests.media.pictures import jpeg_segment, png_chunk, riff, riff_chunk, vp8x
from tests.odd.makers import SECRETS, jpeg_with, several_pictures, telling_exif, telling_xmp, with_icc
from tests.odd.table import Original

from facefleet.engine.codec.image import decode, encode
from facefleet.engine.fusion import Engine
from facefleet.engine.types import Pixels
from facefleet.media.parts import jpeg_segments, png_chunks, webp_chunks

ALL = b" ".join(SECRETS)


def telling_jpeg(original: Original) -> bytes:
    data = with_icc(original.jpeg, ALL * 20)
    for marker, body in (
        (0xFE, ALL),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04" + ALL),
        (0xEB, b"JP" + ALL),
        (0xE2, b"FPXR\0" + ALL),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + telling_xmp()),
        (0xE1, b"Exif\0\0" + telling_exif()),
        (0xE0, b"JFXX\0\x10" + ALL),
    ):
        data = jpeg_with(data, marker, body)
    return several_pictures(data, jpeg_with(original.jpeg, 0xFE, ALL)) + ALL


def telling_png(original: Original) -> bytes:
    chunks = [
        png_chunk(b"eXIf", telling_exif()),
        png_chunk(b"tEXt", b"Comment\0" + ALL),
        png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(ALL)),
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + telling_xmp()),
        png_chunk(b"tIME", b"\x07\xea\1\1\1\1\1"),
        png_chunk(b"prVt", ALL),
    ]
    return original.png[:33] + b"".join(chunks) + original.png[33:] + ALL


def telling_webp(original: Original) -> bytes:
    chunks = riff_chunk(b"EXIF", telling_exif()), riff_chunk(b"XMP ", telling_xmp()), riff_chunk(b"prVt", ALL)
    return riff(vp8x(0x0C, *original.size), original.webp[12:], *chunks) + ALL


TELLING: list[Callable[[Original], bytes]] = [telling_jpeg, telling_png, telling_webp]


@pytest.mark.parametrize("make", TELLING)
def test_nothing_of_what_photos_tell_is_in_the_result(
    engine: Engine, photo: Photo, astronaut: Pixels, make: Callable[[Original], bytes]
) -> None:
    data = make(Original(astronaut))
    assert all(secret in data for secret in SECRETS)
    fused = engine.fuse(data, data).picture.image
    assert not [secret for secret in SECRETS if secret in fused]
    assert not [secret for secret in SECRETS if secret in engine.draw(data).image]


def test_a_jpeg_result_has_no_part_but_those_of_its_pixels(astronaut: Pixels) -> None:
    data = encode(decode(telling_jpeg(Original(astronaut))))
    names = {part.name[0] for part in jpeg_segments(data)}
    assert names == {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
    assert data.endswith(b"\xff\xd9")
    assert jpeg_segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") in data, "and the JFIF header says nothing"


def test_a_png_result_has_no_part_but_its_pixels_and_that_they_are_srgb(astronaut: Pixels) -> None:
    data = encode(decode(telling_png(Original(astronaut))))
    assert [part.name for part in png_chunks(data)][:3] == [b"IHDR", b"sRGB", b"IDAT"]
    assert {part.name for part in png_chunks(data)} == {b"IHDR", b"sRGB", b"IDAT", b"IEND"}


def test_a_webp_result_has_no_part_but_its_pixels(astronaut: Pixels) -> None:
    data = encode(decode(telling_webp(Original(astronaut))))
    assert [part.name for part in webp_chunks(data)] == [b"VP8 "]
