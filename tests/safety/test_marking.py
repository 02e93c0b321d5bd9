"""Marks on files of a real encoder: read back, valid for every reader, and no pixel changed."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import re
import struct
import typing
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.media.pictures import decoded, encoded, jpeg, pixels, png, riff, riff_chunk, vp8x, webp

from facefleet.cli import output
from facefleet.engine.types import Picture
from facefleet.errors.input import ImageDecodeFailed
from facefleet.media.sniff import ImageType, Limits, sniff
from facefleet.safety.marking import MarkedPicture, mark, read_mark
from facefleet.worker.results import store_result

ID = "01a2068b-3666-77a0-a8aa-4280bd240bbb"
SMALL = Limits(min_side=1)
FILES: dict[str, tuple[ImageType, Callable[[int, int], bytes]]] = {
    "jpeg": (ImageType.JPEG, jpeg),
    "jpeg progressive": (
        ImageType.JPEG, lambda w, h: encoded(pixels(w, h), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    ),
    "jpeg grey": (ImageType.JPEG, lambda w, h: encoded(pixels(w, h, 1), ".jpg")),
    "jpeg without jfif": (ImageType.JPEG, lambda w, h: _without_jfif(jpeg(w, h))),
    "png": (ImageType.PNG, png),
    "png with alpha": (ImageType.PNG, lambda w, h: png(w, h, 4)),
    "png grey": (ImageType.PNG, lambda w, h: encoded(pixels(w, h, 1), ".png")),
    "webp lossy": (ImageType.WEBP, webp),
    "webp lossless": (ImageType.WEBP, lambda w, h: webp(w, h, lossless=True)),
    "webp lossy with alpha": (ImageType.WEBP, lambda w, h: webp(w, h, 4)),
    "webp lossless with alpha": (ImageType.WEBP, lambda w, h: webp(w, h, 4, lossless=True)),
}  # fmt: skip
PRODUCERS = [
    "facefleet", "91110000MA00000000", 'Say "cheese" & <smile>', "it's", "脸舰队（北京）科技有限公司",
    "&quot;&amp;#39;", "]]>", "a\\b\tc", "😀", "x" * 5000,
]  # fmt: skip


def marked(image: bytes, media_type: ImageType, *, producer: str, content_id: str) -> bytes:
    """The file of a marked picture."""
    return mark(Picture(image, media_type), producer=producer, content_id=content_id).image


def _without_jfif(photo: bytes) -> bytes:
    assert photo[2:4] == b"\xff\xe0"
    return photo[:2] + photo[4 + int.from_bytes(photo[4:6], "big") :]


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest) -> tuple[ImageType, bytes]:
    kind, encode = FILES[request.param]
    return kind, encode(97, 81)


# ── a reader of each container, written from its specification ───────────────────────────────────────────────────────


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments up to the scan, checked for their lengths."""
    assert data[:2] == b"\xff\xd8"
    assert data[-2:] == b"\xff\xd9"
    at = 2
    while True:
        assert data[at] == 0xFF
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length]
        if marker == 0xDA:
            return
        at += 2 + length


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk, checked for its sum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(name + body),)
        yield name, body
        at += 12 + length
    assert at == len(data)


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk, checked for sizes and padding."""
    assert (data[:4], data[8:12]) == (b"RIFF", b"WEBP")
    assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    assert len(data) % 2 == 0
    at = 12
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length
        if length & 1:
            assert data[at] == 0
            at += 1
    assert at == len(data)


def packet_of(data: bytes, kind: ImageType) -> bytes:
    """The one XMP packet, found where XMP part 3 says."""
    if kind == ImageType.JPEG:
        head = b"http://ns.adobe.com/xap/1.0/\0"
        found = [body[len(head) :] for marker, body in jpeg_segments(data) if marker == 0xE1 and body.startswith(head)]
    elif kind == ImageType.PNG:
        head = b"XML:com.adobe.xmp\0\0\0\0\0"
        found = [body[len(head) :] for name, body in png_chunks(data) if name == b"iTXt" and body.startswith(head)]
    else:
        found = [body for name, body in riff_chunks(data) if name == b"XMP "]
    (packet,) = found
    return packet


# ── what must hold for every file ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(97, 81), (96, 80), (64, 65), (1, 1), (300, 2)])
@pytest.mark.parametrize("name", FILES)
def test_no_pixel_changes(name: str, size: tuple[int, int]) -> None:
    kind, encode = FILES[name]
    before = encode(*size)
    after = marked(before, kind, producer="facefleet", content_id=ID)
    assert np.array_equal(decoded(after), decoded(before))
    assert decoded(after).shape == decoded(before).shape, "alpha is kept, and none is invented"
    assert sniff(after, SMALL) == sniff(before, SMALL)


@pytest.mark.parametrize("producer", PRODUCERS)
def test_the_seven_fields_come_back_as_strings(file: tuple[ImageType, bytes], producer: str) -> None:
    kind, before = file
    after = marked(before, kind, producer=producer, content_id=ID)
    assert read_mark(after) == {
        "Label": "1",
        "ContentProducer": producer,
        "ProduceID": ID,
        "ReservedCode1": hashlib.sha256(f"1\n{producer}\n{ID}".encode()).hexdigest(),
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }


@pytest.mark.parametrize("producer", PRODUCERS)
def test_any_xml_reader_finds_the_record_in_the_packet(file: tuple[ImageType, bytes], producer: str) -> None:
    kind, before = file
    packet = packet_of(marked(before, kind, producer=producer, content_id=ID), kind).decode()
    assert packet.startswith('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert packet.endswith('<?xpacket end="r"?>')
    root = ET.fromstring(packet)
    assert root.tag == "{adobe:ns:meta/}xmpmeta"
    (description,) = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    record = json.loads(description.attrib["{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"])
    assert record == read_mark(marked(before, kind, producer=producer, content_id=ID))
    assert record["ContentProducer"] == producer


def test_nothing_else_of_the_file_changes(file: tuple[ImageType, bytes]) -> None:
    kind, before = file
    after = marked(before, kind, producer="facefleet", content_id=ID)
    if kind == ImageType.JPEG:
        kept = [part for part in jpeg_segments(after) if part[0] != 0xE1]
        assert kept == list(jpeg_segments(before))
    elif kind == ImageType.PNG:
        assert [part for part in png_chunks(after) if part[0] != b"iTXt"] == list(png_chunks(before))
    else:
        added = {b"XMP ", b"VP8X"}
        kept_chunks = [part for part in riff_chunks(after) if part[0] not in added]
        assert kept_chunks == [part for part in riff_chunks(before) if part[0] not in added]


def test_the_same_file_gets_the_same_mark(file: tuple[ImageType, bytes]) -> None:
    kind, before = file
    assert len({marked(before, kind, producer="facefleet", content_id=ID) for _ in range(3)}) == 1


def test_an_unmarked_file_has_no_record(file: tuple[ImageType, bytes]) -> None:
    assert read_mark(file[1]) is None
    assert read_mark(b"") is None


def test_a_changed_field_shows(file: tuple[ImageType, bytes]) -> None:
    kind, before = file
    other = marked(before, kind, producer="someone else", content_id=ID)
    record = read_mark(marked(before, kind, producer="facefleet", content_id=ID))
    forged = read_mark(other)
    assert record is not None
    assert forged is not None
    assert record["ReservedCode1"] != forged["ReservedCode1"]


# ── what each container asks for ─────────────────────────────────────────────────────────────────────────────────────


def test_in_a_jpeg_jfif_stays_first_and_the_packet_comes_next() -> None:
    markers = [m for m, _ in jpeg_segments(marked(jpeg(), ImageType.JPEG, producer="facefleet", content_id=ID))]
    assert markers[:2] == [0xE0, 0xE1]
    bare = marked(_without_jfif(jpeg()), ImageType.JPEG, producer="facefleet", content_id=ID)
    assert next(jpeg_segments(bare))[0] == 0xE1


def test_in_a_png_the_packet_comes_after_the_header_and_before_the_data() -> None:
    names = [n for n, _ in png_chunks(marked(png(), ImageType.PNG, producer="facefleet", content_id=ID))]
    assert names[:2] == [b"IHDR", b"iTXt"]
    assert names[-1] == b"IEND"


@pytest.mark.parametrize(
    ("name", "alpha"),
    [("webp lossy", 0), ("webp lossless", 0), ("webp lossy with alpha", 0x10), ("webp lossless with alpha", 0x10)],
)
def test_in_a_webp_the_extended_header_comes_first_and_tells_all(name: str, alpha: int) -> None:
    data = marked(FILES[name][1](97, 81), ImageType.WEBP, producer="facefleet", content_id=ID)
    chunks = list(riff_chunks(data))
    first, body = chunks[0]
    assert first == b"VP8X"
    assert body[0] == 0x04 | alpha
    assert (int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1) == (97, 81)
    assert [n for n, _ in chunks].count(b"VP8X") == 1
    assert chunks[-1][0] == b"XMP "


def test_an_extended_webp_keeps_its_other_flags() -> None:
    before = riff(vp8x(0x08, 96, 80), webp()[12:], riff_chunk(b"EXIF", b"II*\0\x08\0\0\0\0\0"))
    chunks = dict(riff_chunks(marked(before, ImageType.WEBP, producer="facefleet", content_id=ID)))
    assert chunks[b"VP8X"][0] == 0x08 | 0x04
    assert b"EXIF" in chunks


def test_a_record_too_long_for_a_jpeg_segment_is_an_error_and_no_broken_file() -> None:
    with pytest.raises(ImageDecodeFailed):
        marked(jpeg(), ImageType.JPEG, producer="x" * 66_000, content_id=ID)


@pytest.mark.parametrize("data", [b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8L\0", b"RIFF\0\0\0\0WEBPVP8X"])
def test_a_file_cut_short_is_an_error(data: bytes) -> None:
    with pytest.raises(ImageDecodeFailed):
        marked(data, ImageType.WEBP, producer="facefleet", content_id=ID)


# ── the type that says that a picture is marked ──────────────────────────────────────────────────────────────────────

SOURCE = Path(__file__).parents[2] / "src" / "facefleet"


def mentions(pattern: str, folder: Path = SOURCE) -> set[str]:
    """The modules whose text matches."""
    return {
        path.relative_to(SOURCE).as_posix() for path in folder.rglob("*.py") if re.search(pattern, path.read_text())
    }


def test_a_marked_picture_is_the_marked_file_and_its_type() -> None:
    picture = mark(Picture(png(), ImageType.PNG), producer="facefleet", content_id=ID)
    assert picture.media_type is ImageType.PNG
    assert read_mark(picture.image) is not None


@pytest.mark.parametrize("seal", [None, object(), "seal"])
def test_nobody_makes_a_marked_picture_without_marking_it(seal: object) -> None:
    with pytest.raises(TypeError, match=r"only safety\.marking\.mark"):
        MarkedPicture(png(), ImageType.PNG, seal)
    with pytest.raises(TypeError):
        MarkedPicture(png(), ImageType.PNG)  # type: ignore[call-arg]


def test_a_marked_picture_cannot_be_given_other_bytes() -> None:
    picture = mark(Picture(png(), ImageType.PNG), producer="facefleet", content_id=ID)
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(picture, image=png())  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        dataclasses.replace(picture, image=png(), seal=None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        picture.image = png()  # type: ignore[misc]


def test_no_other_module_makes_a_marked_picture_or_knows_the_seal() -> None:
    assert mentions(r"\bMarkedPicture\s*[(.]|\b_SEAL\b|__new__\(") == {"safety/marking.py"}


def test_results_are_stored_in_one_place_which_takes_a_marked_picture() -> None:
    assert mentions(r"\bresult_key\b") == {"storage/keys.py", "worker/results.py"}
    assert typing.get_type_hints(store_result)["picture"] is MarkedPicture


def test_a_command_writes_pictures_through_one_function_which_takes_a_marked_picture() -> None:
    assert mentions(r"\bwrite_picture\(", SOURCE / "cli" / "local") == {
        "cli/local/age.py", "cli/local/faces.py", "cli/local/fuse.py",
    }  # fmt: skip
    assert mentions(r"\bwrite_file\(|write_bytes\(", SOURCE / "cli" / "local") == {"cli/local/samples.py"}
    assert inspect.signature(output.write_picture).parameters["picture"].annotation == "MarkedPicture"
