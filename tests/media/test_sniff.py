"""What a header says, against files of a real encoder, files cut short, and files made to hurt."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.media.pictures import (
    decoded,
    encoded,
    exif,
    jpeg,
    jpeg_segment,
    jpeg_with_exif,
    pixels,
    png,
    png_chunk,
    png_with,
    riff,
    riff_chunk,
    vp8x,
    webp,
)

from facefleet.errors.input import (
    ImageAnimated,
    ImageDecodeFailed,
    ImageError,
    ImageTooLargeBytes,
    ImageTooLargePixels,
    ImageTooSmall,
    ImageTypeUnsupported,
)
from facefleet.media.sniff import HEAD_BYTES, Header, ImageType, Limits, check_bytes, sniff, sniff_type

ANY = Limits(max_bytes=10**9, max_pixels=10**9, max_side=10**6, min_side=1)
SIZES = [(96, 80), (80, 96), (65, 64), (1, 1), (257, 3), (1025, 131)]

Encode = Callable[[int, int], bytes]
ENCODERS: dict[str, tuple[Encode, ImageType]] = {
    "jpeg": (jpeg, ImageType.JPEG),
    "jpeg progressive": (
        lambda w, h: encoded(pixels(w, h), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), ImageType.JPEG,
    ),
    "jpeg grey": (lambda w, h: encoded(pixels(w, h, 1), ".jpg"), ImageType.JPEG),
    "png": (png, ImageType.PNG),
    "png with alpha": (lambda w, h: png(w, h, 4), ImageType.PNG),
    "webp lossy": (webp, ImageType.WEBP),
    "webp lossless": (lambda w, h: webp(w, h, lossless=True), ImageType.WEBP),
    "webp lossy with alpha": (lambda w, h: webp(w, h, 4), ImageType.WEBP),
    "webp lossless with alpha": (lambda w, h: webp(w, h, 4, lossless=True), ImageType.WEBP),
}  # fmt: skip
SMALL = {name: encode(70, 66) for name, (encode, _) in ENCODERS.items()}


# ── type and size ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ENCODERS)
def test_type_and_size_are_what_the_encoder_wrote(name: str, size: tuple[int, int]) -> None:
    encode, kind = ENCODERS[name]
    data = encode(*size)
    assert sniff(data, ANY) == Header(kind, *size, 1)
    assert sniff_type(data[:HEAD_BYTES]) == kind
    assert decoded(data).shape[:2] == size[::-1]


def test_the_samples_hold_all_three_shapes_of_webp() -> None:
    shapes = {data[12:16] for name, data in SMALL.items() if name.startswith("webp")}
    assert shapes == {b"VP8 ", b"VP8L", b"VP8X"}


def test_a_huffman_table_before_the_frame_header_is_no_frame_header() -> None:
    """Its marker lies among theirs."""
    photo = jpeg()
    for marker in (0xC4, 0xC8, 0xCC):
        assert sniff(photo[:2] + jpeg_segment(marker, bytes(40)) + photo[2:]).width == 96


def test_the_scaling_hint_of_a_webp_is_no_part_of_its_size() -> None:
    photo = webp()
    at = 12 + 8 + 6
    hinted = photo[:at] + struct.pack("<HH", 96 | 0x4000, 80 | 0xC000) + photo[at + 4 :]
    assert sniff(hinted) == Header(ImageType.WEBP, 96, 80, 1)


def test_a_chunk_of_odd_length_is_padded() -> None:
    assert sniff(riff(riff_chunk(b"JUNK", b"odd"), webp()[12:])).height == 80


@pytest.mark.parametrize("canvas", [(64, 64), (200, 100)])
def test_of_a_webp_whose_canvas_is_not_its_frame_the_canvas_counts_and_no_decoder_takes_it(
    canvas: tuple[int, int],
) -> None:
    """A small canvas does not smuggle a large frame past the limits: what we pass here fails there."""
    data = riff(vp8x(0, *canvas), webp()[12:])
    header = sniff(data)
    assert (header.width, header.height) == canvas
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is None


def test_the_extension_follows_the_type() -> None:
    assert [kind.extension for kind in ImageType] == [".jpg", ".png", ".webp", ".avif"]


NOT_OURS = {
    "nothing": b"",
    "one byte": b"\xff",
    "text": b"hello, this is not a photo at all",
    "gif": b"GIF89a\x60\x00\x60\x00\x80\x00\x00" + b"\0" * 40,
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
    "bmp": encoded(pixels(96, 80), ".bmp"),
    "tiff": encoded(pixels(96, 80), ".tiff"),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "wav": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0",
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "zeros": bytes(4096),
    "almost jpeg": b"\xff\xd8\x00" + b"\0" * 40,
    "almost png": b"\x89PNG\n\x1a\n" + b"\0" * 40,
    "jpeg after a blank": b" " + jpeg(),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_what_is_no_jpeg_png_or_webp_is_refused_by_its_content(name: str) -> None:
    with pytest.raises(ImageTypeUnsupported) as caught:
        sniff(NOT_OURS[name])
    assert caught.value.detail["supported"] == ["image/jpeg", "image/png", "image/webp", "image/avif"]


# ── orientation ──────────────────────────────────────────────────────────────────────────────────────────────────────


def holders(tiff: bytes) -> dict[str, bytes]:
    """One photo, 96 × 80 px as stored, with this block in every place that can hold it."""
    plain = webp()
    return {
        "jpeg": jpeg_with_exif(jpeg(), tiff),
        "png": png_with(png(), b"eXIf", tiff),
        "webp": riff(vp8x(0x08, 96, 80), plain[12:], riff_chunk(b"EXIF", tiff)),
        "webp with prefix": riff(vp8x(0x08, 96, 80), plain[12:], riff_chunk(b"EXIF", b"Exif\0\0" + tiff)),
    }


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_and_the_size_is_that_of_the_upright_photo(orientation: int, order: str) -> None:
    upright = (80, 96) if orientation >= 5 else (96, 80)
    for name, data in holders(exif(orientation, order)).items():
        header = sniff(data)
        assert (header.width, header.height, header.orientation) == (*upright, orientation), name


def test_the_size_agrees_with_a_decoder_that_turns_the_photo() -> None:
    for orientation in range(1, 9):
        data = jpeg_with_exif(jpeg(), exif(orientation))
        header = sniff(data)
        turned = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert turned is not None
        assert turned.shape[:2] == (header.height, header.width)


BROKEN_EXIF = {
    "nothing": b"",
    "another order": b"XX*\0\x08\0\0\0",
    "an offset outside": b"II*\0\xff\xff\xff\xff",
    "more entries than there are": b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 0x0100, 4, 1, 7),
    "no orientation": exif(6)[:8] + struct.pack("<H", 0),
    "orientation 0": exif(0),
    "orientation 9": exif(9),
    "orientation 65535": exif(65535),
    "an ifd that is itself": b"II*\0\0\0\0\0",
}


@pytest.mark.parametrize("name", BROKEN_EXIF)
def test_a_broken_exif_block_reads_as_upright(name: str) -> None:
    for data in holders(BROKEN_EXIF[name]).values():
        assert sniff(data).orientation == 1


def test_an_exif_block_cut_anywhere_never_fails() -> None:
    tiff = exif(6, ">", before=3)
    for end in range(len(tiff)):
        for data in holders(tiff[:end]).values():
            assert sniff(data).orientation in (1, 6)


def test_another_app1_segment_is_no_exif() -> None:
    xmp = jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    photo = jpeg_with_exif(jpeg(), exif(6))
    assert sniff(photo[:2] + xmp + photo[2:]).orientation == 6


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LIMITS = Limits(max_bytes=20_000, max_pixels=9_000, max_side=120, min_side=64)


@pytest.mark.parametrize(
    ("width", "height", "error"),
    [
        (64, 64, None), (63, 100, ImageTooSmall), (100, 63, ImageTooSmall), (1, 1, ImageTooSmall),
        (120, 75, None), (121, 65, ImageTooLargePixels), (65, 121, ImageTooLargePixels),
        (100, 91, ImageTooLargePixels), (100, 90, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encode", [jpeg, png, webp])
def test_each_limit_has_its_own_error_and_lies_where_it_says(
    encode: Encode, width: int, height: int, error: type[ImageError] | None
) -> None:
    data = encode(width, height)
    limits = Limits(10**6, LIMITS.max_pixels, LIMITS.max_side, LIMITS.min_side)
    if error is None:
        assert sniff(data, limits).width == width
        return
    with pytest.raises(error) as caught:
        sniff(data, limits)
    assert (caught.value.detail["width"], caught.value.detail["height"]) == (width, height)


def test_a_file_may_have_as_many_bytes_as_the_limit_and_not_one_more() -> None:
    check_bytes(20_000, LIMITS)
    with pytest.raises(ImageTooLargeBytes) as caught:
        check_bytes(20_001, LIMITS)
    assert caught.value.detail == {"max_bytes": 20_000}
    with pytest.raises(ImageTooLargeBytes):
        sniff(b"not even a photo" * 2000, LIMITS)


def bomb(width: int, height: int) -> dict[str, bytes]:
    """Headers that promise much, and no data."""
    photo = jpeg()
    at = photo.index(b"\xff\xc0") + 5
    return {
        "jpeg": photo[:at] + struct.pack(">HH", min(height, 65535), min(width, 65535)) + photo[at + 4 :],
        "png": b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">II", width, height) + b"\x08\x02\0\0\0"),
        "webp": riff(vp8x(0, min(width, 1 << 24), min(height, 1 << 24))),
    }


@pytest.mark.parametrize("size", [(65535, 65535), (2**31 - 1, 2**31 - 1), (8000, 8000), (16001, 70)])
def test_a_decompression_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    for name, data in bomb(*size).items():
        with pytest.raises(ImageTooLargePixels):
            sniff(data)
        assert len(data) < 10_000, name


def test_a_quarter_turn_does_not_pass_a_limit() -> None:
    with pytest.raises(ImageTooLargePixels):
        sniff(jpeg_with_exif(jpeg(130, 70), exif(6)), Limits(max_side=120))


def test_a_size_of_zero_is_damage() -> None:
    empty = png_chunk(b"IHDR", struct.pack(">II", 0, 100) + b"\x08\x02\0\0\0")
    photo = jpeg()
    at = photo.index(b"\xff\xc0") + 5
    for data in (b"\x89PNG\r\n\x1a\n" + empty, photo[:at] + bytes(4) + photo[at + 4 :]):
        with pytest.raises(ImageDecodeFailed):
            sniff(data, ANY)


# ── animation ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_animated_png_is_refused() -> None:
    with pytest.raises(ImageAnimated):
        sniff(png_with(png(), b"acTL", struct.pack(">II", 2, 0)))


def test_an_animated_webp_is_refused() -> None:
    frame = riff_chunk(b"ANMF", bytes(16) + webp()[12:])
    with pytest.raises(ImageAnimated):
        sniff(riff(vp8x(0x02, 96, 80), riff_chunk(b"ANIM", bytes(6)), frame, frame))


# ── damage ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def survives(data: bytes) -> None:
    """A header or an ``ImageError`` and nothing else."""
    try:
        header = sniff(data, ANY)
    except ImageError:
        return
    assert header.width >= 1
    assert header.height >= 1
    assert 1 <= header.orientation <= 8


@pytest.mark.parametrize("name", SMALL)
def test_a_file_cut_at_any_byte_is_read_or_refused(name: str) -> None:
    data = SMALL[name]
    for end in [*range(min(len(data), 1500)), len(data) - 1]:
        survives(data[:end])


@pytest.mark.parametrize("name", SMALL)
def test_a_file_cut_inside_its_header_is_refused(name: str) -> None:
    data, whole = SMALL[name], sniff(SMALL[name], ANY)
    first = next(end for end in range(len(data) + 1) if _reads(data[:end]))
    assert all(_reads(data[:end]) for end in range(first, min(len(data), first + 200)))
    assert sniff(data[:first], ANY) == whole, "it is never read wrong"


def _reads(data: bytes) -> bool:
    try:
        sniff(data, ANY)
    except ImageError:
        return False
    return True


@pytest.mark.parametrize("name", SMALL)
def test_a_file_with_any_byte_of_its_header_changed_is_read_or_refused(name: str) -> None:
    data = SMALL[name]
    for at in range(min(len(data), 260)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xD8, 0xFF, data[at] ^ 0x10):
            survives(data[:at] + bytes([value]) + data[at + 1 :])


HEADS = st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WEBPVP8X"])


@settings(max_examples=400, deadline=None)
@given(HEADS, st.binary(max_size=300))
@example(b"\xff\xd8\xff", b"\xe0\x00\x00")
@example(b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IHDR")
@example(b"RIFF\0\0\0\0WEBP", b"VP8L\x05\0\0\0\x2f")
def test_noise_behind_a_true_signature_is_read_or_refused(head: bytes, noise: bytes) -> None:
    survives(head + noise)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda\x00\x02",
        b"\xff\xd8\xff\xe0\x00\x02\x00\x00",
        b"\xff\xd8\xff\xe0\x00\x00",
        b"\xff\xd8\xff\xe0\x00\x01",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IDAT", b"x"),
        riff(),
        riff(riff_chunk(b"EXIF", exif(6))),
        riff(riff_chunk(b"VP8 ", bytes(20))),
    ],
)
def test_a_file_without_its_frame_header_is_damaged(data: bytes) -> None:
    with pytest.raises(ImageDecodeFailed):
        sniff(data)


def _upto(size: int, head: bytes, piece: bytes) -> bytes:
    return head + piece * ((size - len(head)) // len(piece))


MILLIONS = 20_000_000
SLOW = {
    "jpeg fill bytes": _upto(MILLIONS, b"\xff\xd8\xff", b"\xff"),
    "jpeg restart markers": _upto(MILLIONS, b"\xff\xd8\xff\xd0", b"\xff\xd0"),
    "jpeg empty segments": _upto(MILLIONS, b"\xff\xd8", b"\xff\xe0\0\2"),
    "png empty chunks": _upto(MILLIONS, png()[:33], png_chunk(b"tEXt", b"")),
    "webp empty chunks": _upto(MILLIONS, riff(vp8x(0, 96, 80)), riff_chunk(b"JUNK", b"")),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_file_made_to_keep_the_reader_busy_is_answered_at_once(name: str) -> None:
    """The gateway reads headers on every upload: 20 MB must not buy seconds of its processor."""
    began = time.process_time()
    survives(SLOW[name])
    assert time.process_time() - began < 0.2


def test_a_photo_of_many_parts_is_read() -> None:
    """Some encoders write a PNG in chunks of a kilobyte."""
    data = png()
    assert sniff(data[:33] + png_chunk(b"tEXt", b"x" * 1000) * 19_000 + data[33:]).width == 96


def test_the_photos_made_here_are_valid() -> None:
    for data in holders(exif(1)).values():
        assert decoded(data).shape == (80, 96, 3)
