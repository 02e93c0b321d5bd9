"""Odd and hostile files, and what becomes of each: the code of a refusal, or the faces that are found.

Every row is made here from sample photos; nothing is stored. The same rows are sent through the engine, the command
line and the gateway.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from tests.media.pictures import (
    encoded,
    exif,
    jpeg_segment,
    jpeg_with_exif,
    png_chunk,
    png_with,
    riff,
    riff_chunk,
    vp8x,
)
from tests.odd.makers import (
    CHROMATICITIES,
    display_p3,
    fctl,
    frame_header,
    grey,
    grey_profile,
    ink_profile,
    interlaced_png,
    jpeg_with,
    jpeg_without,
    linear,
    many_scans,
    one_frame_png,
    one_frame_webp,
    packed_grey_png,
    patched,
    pillow,
    png,
    png_of,
    png_without,
    saved,
    several_pictures,
    srgb_profile,
    stray,
    with_icc,
    wrong_check_sum,
    zeros_packed,
)

from facefleet.engine.types import Pixels
from facefleet.media.parts import PNG_SIGNATURE

SCRIPT = b"<script>alert(document.domain)</script>"


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """One face, and its photo in each format.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 BGR.
    """

    pixels: Pixels

    @property
    def jpeg(self) -> bytes:
        return encoded(self.pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 90)

    @property
    def progressive(self) -> bytes:
        return encoded(self.pixels, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)

    @property
    def png(self) -> bytes:
        return encoded(self.pixels, ".png")

    @property
    def webp(self) -> bytes:
        return encoded(self.pixels, ".webp", cv2.IMWRITE_WEBP_QUALITY, 90)

    @property
    def rgb(self) -> Pixels:
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_BGR2RGB), np.uint8)

    @property
    def grey(self) -> Pixels:
        return grey(self.pixels)

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True, slots=True)
class Row:
    """One file.

    Attributes:
        name: What is odd about it.
        make: The file, from a photo of one face.
        code: Of the refusal; empty where the photo is read.
        faces: How many are found in it.
        anywhere: Whether the file's header shows it, so that the gateway answers the same.
    """

    name: str
    make: Callable[[Original], bytes]
    code: str = ""
    faces: int = 1
    anywhere: bool = True


def type_refused(name: str, make: Callable[[Original], bytes]) -> Row:
    return Row(name, make, "image_type_unsupported")


def damaged(name: str, make: Callable[[Original], bytes], *, by_header: bool = False) -> Row:
    return Row(name, make, "image_decode_failed", anywhere=by_header)


NOT_A_PHOTO = [
    type_refused("no byte", lambda o: b""),
    type_refused("one byte", lambda o: b"\xff"),
    type_refused("a thousand zeros", lambda o: bytes(1000)),
    type_refused("text", lambda o: b"a photo of me"),
    type_refused("a web page", lambda o: b"<!doctype html><body>" + SCRIPT),
    type_refused("an SVG", lambda o: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    type_refused("a PDF", lambda o: b"%PDF-1.7\n" + o.jpeg),
    type_refused("a ZIP", lambda o: zipped(o.jpeg)),
    type_refused("a GIF", lambda o: pillow(o.pixels, "GIF")),
    type_refused("a moving GIF", lambda o: pillow(o.pixels, "GIF", save_all=True)),
    type_refused("a BMP", lambda o: encoded(o.pixels, ".bmp")),
    type_refused("a TIFF", lambda o: encoded(o.pixels, ".tiff")),
    type_refused("a TIFF of the other byte order", lambda o: b"MM\0*" + bytes(200)),
    type_refused("a HEIC", lambda o: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)),
    type_refused("a JPEG 2000", lambda o: encoded(o.pixels, ".jp2")),
    type_refused("a JPEG XL", lambda o: b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(200)),
    type_refused("an ICO", lambda o: pillow(o.pixels, "ICO")),
    type_refused("a sound in RIFF", lambda o: b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)),
    type_refused("a PNG damaged by a text transfer", lambda o: o.png.replace(b"\r\n", b"\n")),
    type_refused("a GIF's header before a JPEG", lambda o: b"GIF89a" + o.jpeg),
    type_refused("a line feed before a JPEG", lambda o: b"\n" + o.jpeg),
]

TWO_IN_ONE = [
    Row("a JPEG that is a ZIP too", lambda o: o.jpeg + zipped(b"x")),
    Row("a PNG that is a ZIP too", lambda o: o.png + zipped(b"x")),
    Row("a WebP that is a ZIP too", lambda o: o.webp + zipped(b"x")),
    Row("a JPEG with a web page in its comment", lambda o: jpeg_with(o.jpeg, 0xFE, SCRIPT)),
    Row("a PNG with a web page in its text", lambda o: png_with(o.png, b"tEXt", b"Comment\0" + SCRIPT)),
    Row("a JPEG with a program before its pixels", lambda o: jpeg_with(o.jpeg, 0xED, b"MZ" + SCRIPT * 100)),
    Row("a JPEG of two views", lambda o: several_pictures(o.jpeg, o.jpeg)),
    Row("a JPEG with a gain map", lambda o: several_pictures(o.jpeg, encoded(o.grey[::4, ::4].copy(), ".jpg"))),
    Row("a JPEG with a preview in its EXIF", lambda o: jpeg_with(o.jpeg, 0xE1, b"Exif\0\0" + encoded(o.pixels[:96, :96].copy(), ".jpg"))),
]  # fmt: skip

JPEG = [
    Row("a progressive JPEG", lambda o: o.progressive),
    Row("a JPEG with restart markers", lambda o: encoded(o.pixels, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 3)),
    Row("a JPEG of 4:2:2", lambda o: pillow(o.pixels, subsampling=1)),
    Row("a JPEG of RGB channels", lambda o: pillow(o.pixels, keep_rgb=True)),
    Row("a grey JPEG", lambda o: encoded(o.grey, ".jpg")),
    Row("a JPEG with fill bytes", lambda o: o.jpeg[:2] + b"\xff" * 40 + o.jpeg[2:]),
    Row("a JPEG with noise behind its end", lambda o: o.jpeg + bytes(range(256)) * 40),
    Row("a JPEG without JFIF", lambda o: jpeg_without(o.jpeg, 0xE0)),
    damaged("nothing between start and end", lambda o: b"\xff\xd8\xff\xd9", by_header=True),
    damaged("a JPEG without frame header", lambda o: jpeg_without(o.jpeg, 0xC0), by_header=True),
    damaged("a JPEG without quantisation", lambda o: jpeg_without(o.jpeg, 0xDB)),
    damaged("a JPEG that tells its height at its end", lambda o: told_at_the_end(o.jpeg), by_header=True),
    damaged("a JPEG of no width", lambda o: patched(o.jpeg, frame_header(o.jpeg) + 3, b"\0\0"), by_header=True),
    damaged("a JPEG of 12 bits", lambda o: patched(o.jpeg, frame_header(o.jpeg), b"\x0c")),
    damaged("a JPEG of two channels", lambda o: two_channels(o.jpeg)),
    damaged("a JPEG by lossless coding", lambda o: coded_as(o.jpeg, 0xC3)),
    damaged("a JPEG by hierarchical coding", lambda o: coded_as(o.jpeg, 0xC5)),
    damaged("a JPEG-LS", lambda o: coded_as(o.jpeg, 0xF7), by_header=True),
    damaged("a JPEG of 210 scans", lambda o: many_scans(o.progressive, 200), by_header=True),
    Row("a JPEG segment of no length", lambda o: o.jpeg[:2] + b"\xff\xe1\0\0" + o.jpeg[2:]),
    Row("a JPEG without end", lambda o: o.jpeg[:-2]),
    Row("a JPEG with half an end", lambda o: o.jpeg[:-1]),
    Row("a JPEG with zeros for its end", lambda o: o.jpeg[:-2] + bytes(4096)),
    Row("a progressive JPEG without end", lambda o: o.progressive[:-2]),
    Row("a JPEG with restart markers and no end", lambda o: restarting(o)[:-2]),
    Row("a JPEG without end before another", lambda o: o.jpeg[:-2] + o.jpeg),
    damaged("a JPEG without its lower half", lambda o: o.jpeg[: len(o.jpeg) // 2]),
    damaged("a JPEG without its lower half but as many zeros", lambda o: o.jpeg[: len(o.jpeg) // 2] + bytes(len(o.jpeg) // 2)),
    damaged("a JPEG with restart markers without its lower half", lambda o: restarting(o)[: len(restarting(o)) // 2], by_header=True),
    damaged("a progressive JPEG without its last scans", lambda o: o.progressive[: len(o.progressive) // 2], by_header=True),
    damaged("a progressive JPEG without half of its last scan", lambda o: o.progressive[:-9000]),
    Row("a JPEG with a byte between its segments", lambda o: stray(o.jpeg, b"\0")),
    Row("a JPEG with zeros between its segments", lambda o: stray(o.jpeg, bytes(70_000))),
    Row("a JPEG with a segment marked 00E1", lambda o: stray(o.jpeg, b"\0\xe1\0\x3c" + bytes(range(58)))),
    Row("a JPEG with stuffed bytes between its segments", lambda o: stray(o.jpeg, b"\xff\0\xff\xff\0")),
    Row("a JPEG with a segment that is longer than it says", lambda o: jpeg_with(o.jpeg, 0xEC, bytes(80)).replace(b"\xff\xec\0\x52", b"\xff\xec\0\x20")),
    damaged("a JPEG with a megabyte of nothing in its header", lambda o: stray(o.jpeg, bytes(1_100_000)), by_header=True),
    damaged("a JPEG segment that ends beyond the file", lambda o: o.jpeg[:2] + b"\xff\xe1\xff\xff" + o.jpeg[2:400], by_header=True),
    Row("a JPEG that promises more rows than it has", lambda o: patched(o.jpeg, frame_header(o.jpeg) + 1, struct.pack(">H", 2000))),
    Row("a JPEG of 50,000 px", lambda o: patched(o.jpeg, frame_header(o.jpeg) + 1, struct.pack(">HH", 50_000, 50_000)), "image_too_large_pixels"),
]  # fmt: skip

PNG = [
    Row("an interlaced PNG", lambda o: interlaced_png(o.pixels)),
    Row("a PNG in a thousand pieces", lambda o: in_pieces(o.png)),
    Row("a PNG with an unknown chunk", lambda o: png_with(o.png, b"aaAb", bytes(50))),
    Row("a PNG of 60,000 px", lambda o: png(8, 2, [], (60_000, 60_000)), "image_too_large_pixels"),
    Row("a PNG of 2³² px", lambda o: png(8, 2, [], (2**32 - 1, 2**32 - 1)), "image_too_large_pixels"),
    Row("a line of 30,000 px", lambda o: png(8, 0, [bytes(30_000)], (30_000, 1)), "image_too_small"),
    Row("a ribbon of 30,000 px", lambda o: png(8, 0, [bytes(30_000)] * 64, (30_000, 64)), "image_too_large_pixels"),
    Row("a single pixel", lambda o: png(8, 0, [b"\x80"], (1, 1)), "image_too_small"),
    Row("just under the smallest", lambda o: encoded(o.pixels[:63, :200].copy(), ".png"), "image_too_small"),
    damaged("a PNG of no width", lambda o: png(8, 2, [], (0, 100)), by_header=True),
    damaged("a PNG without pixels", lambda o: png_without(o.png, b"IDAT")),
    damaged("a PNG with too few pixels", lambda o: png(8, 2, [bytes(1536)] * 9, (512, 512))),
    damaged("a PNG without header", lambda o: png_without(o.png, b"IHDR"), by_header=True),
    damaged("a PNG with a chunk before its header", lambda o: PNG_SIGNATURE + png_chunk(b"tEXt", b"\xff" * 40) + o.png[8:], by_header=True),
    damaged("a PNG with a second, smaller header", lambda o: png_with(o.png, b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))),
    damaged("a PNG of 255 bits", lambda o: png(255, 2, [bytes(1536)] * 512, (512, 512))),
    damaged("a PNG without end", lambda o: o.png[:-12], by_header=True),
    damaged("a PNG without palette", lambda o: png(8, 3, [bytes(512)] * 512, (512, 512))),
    damaged("a PNG of 3 bits", lambda o: png(3, 0, [bytes(512)] * 512, (512, 512))),
    damaged("a PNG of an unknown colour type", lambda o: png(8, 5, [bytes(2048)] * 512, (512, 512))),
    damaged("a PNG whose header has a wrong check sum", lambda o: patched(o.png, 29, b"\0\0\0\0")),
    damaged("a PNG whose pixels have a wrong check sum", lambda o: patched(o.png, len(o.png) - 16, b"\0\0\0\0")),
    damaged("a PNG for a phone's own decoder", lambda o: for_a_phone(o), by_header=True),
    Row("a PNG whose pixels unpack to a gigabyte", lambda o: overfull(1024), faces=0),
    Row("a PNG whose profile is a bomb", lambda o: png_with(o.png, b"iCCP", b"x\0\0" + zeros_packed(512))),
    Row("a PNG whose text is a bomb", lambda o: png_with(o.png, b"zTXt", b"x\0\0" + zeros_packed(512))),
    Row("a PNG whose other text is a bomb", lambda o: png_with(o.png, b"iTXt", b"x\0\1\0\0\0" + zeros_packed(512))),
    Row("a moving PNG", lambda o: png_with(o.png, b"acTL", struct.pack(">II", 2, 0)), "image_animated"),
    Row("a moving PNG of two frames that says one", lambda o: one_frame_png(o.png, b"", fctl(o.size), fctl(o.size)), "image_animated"),
    Row("a PNG that moves in one frame", lambda o: one_frame_png(o.png, b"", fctl(o.size))),
    Row("a PNG whose one frame is not its picture", lambda o: one_frame_png(encoded(np.zeros_like(o.pixels), ".png"), o.png)),
    Row("a PNG whose one frame is smaller than its canvas", lambda o: one_frame_png(encoded(np.zeros((600, 700, 3), np.uint8), ".png"), o.png, left=100, top=60)),
    damaged("a PNG whose one frame lies beside its canvas", lambda o: one_frame_png(encoded(np.zeros((600, 700, 3), np.uint8), ".png"), o.png, left=500)),
    Row("a PNG that says that it moves behind its pixels", lambda o: o.png[:-12] + png_chunk(b"acTL", struct.pack(">II", 2, 0)) + o.png[-12:]),
    Row("a PNG that moves in no frame", lambda o: png_with(o.png, b"acTL", bytes(8))),
]  # fmt: skip

WEBP = [
    Row("a lossless WebP", lambda o: encoded(o.pixels, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)),
    Row("a WebP with alpha", lambda o: encoded(np.dstack([o.pixels, o.grey | 128]), ".webp")),
    Row("a WebP that moves in one frame", lambda o: one_frame_webp(o.webp, o.size)),
    Row("a WebP that moves in one frame with alpha", lambda o: one_frame_webp(pillow_alpha(o, "WEBP"), o.size)),
    Row("a WebP whose one frame is smaller than its canvas", lambda o: one_frame_webp(o.webp, (700, 600), left=100, top=60, frame=o.size)),
    damaged("a WebP whose one frame lies beside its canvas", lambda o: one_frame_webp(o.webp, (700, 600), left=500, frame=o.size)),
    Row("a moving WebP", lambda o: pillow(o.pixels, "WEBP", save_all=True, append_images=other(o)), "image_animated"),
    damaged("a WebP cut in half", lambda o: o.webp[: len(o.webp) // 2], by_header=True),
    damaged("a WebP of two sizes", lambda o: riff(vp8x(0, 600, 500), o.webp[12:])),
    damaged("a WebP without pixels", lambda o: riff(vp8x(0, 512, 512))),
    damaged("a WebP of an unknown chunk", lambda o: riff(riff_chunk(b"JUNK", bytes(80))), by_header=True),
    Row("a WebP of 16,384 px", lambda o: riff(vp8x(0, 16_384, 16_384), o.webp[12:]), "image_too_large_pixels"),
    Row("a WebP with a broken profile", lambda o: riff(vp8x(0x20, *o.size), riff_chunk(b"ICCP", b"x" * 500), o.webp[12:])),
]  # fmt: skip

EXIF = [
    Row("an EXIF that turns", lambda o: jpeg_with_exif(encoded(np.rot90(o.pixels).copy(), ".jpg"), exif(6))),
    Row("an EXIF of an unknown orientation", lambda o: jpeg_with_exif(o.jpeg, exif(9))),
    Row("an EXIF that points to itself", lambda o: jpeg_with_exif(o.jpeg, b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + b"\x08\0\0\0")),
    Row("an EXIF of 65,535 entries", lambda o: jpeg_with_exif(o.jpeg, b"II*\0\x08\0\0\0\xff\xff" + bytes(100))),
    Row("an EXIF that starts beyond its end", lambda o: jpeg_with_exif(o.jpeg, b"II*\0\xff\xff\xff\xff")),
    Row("an EXIF of mixed byte order", lambda o: jpeg_with_exif(o.jpeg, b"MM*\0" + exif(6)[4:])),
    Row("an EXIF of a huge count", lambda o: jpeg_with_exif(o.jpeg, exif(1).replace(struct.pack("<HHI", 0x0112, 3, 1), struct.pack("<HHI", 0x0112, 3, 2**31)))),
    Row("an EXIF that ends at once", lambda o: jpeg_with_exif(o.jpeg, b"II*\0")),
    Row("two EXIF, the first of which turns", lambda o: jpeg_with_exif(jpeg_with_exif(turned(o, ".jpg"), exif(1)), exif(6))),
    Row("two EXIF, the first of which is broken", lambda o: jpeg_with_exif(jpeg_with_exif(turned(o, ".jpg"), exif(6)), exif(0))),
    Row("two EXIF, the first of which does not tell", lambda o: jpeg_with_exif(jpeg_with_exif(turned(o, ".jpg"), exif(6)), b"II*\0\x08\0\0\0\0\0")),
    Row("two EXIF in a PNG", lambda o: png_with(png_with(turned(o, ".png"), b"eXIf", exif(1)), b"eXIf", exif(6))),
    Row("two EXIF in a PNG, the first with a wrong check sum", lambda o: wrong_check_sum(png_with(png_with(turned(o, ".png"), b"eXIf", exif(6)), b"eXIf", exif(1)), b"eXIf")),
    Row("two EXIF in a WebP", lambda o: two_exif_webp(o)),
    Row("a PNG with a broken EXIF", lambda o: png_with(o.png, b"eXIf", b"MM\0*\0\0\0\x08\xff\xff")),
]  # fmt: skip

COLOURS = [
    Row("greys of 1 bit", lambda o: packed_grey_png(o.pixels, 1), faces=1),
    Row("greys of 2 bits", lambda o: packed_grey_png(o.pixels, 2)),
    Row("greys of 4 bits", lambda o: packed_grey_png(o.pixels, 4)),
    Row("greys of 8 bits", lambda o: png_of(o.grey, 0)),
    Row("greys of 16 bits", lambda o: png_of(o.grey.astype(np.uint16) * 257, 0)),
    Row("greys with one of them transparent", lambda o: png_of(o.grey, 0, png_chunk(b"tRNS", b"\0\x80"))),
    Row("greys with alpha", lambda o: png_of(np.dstack([o.grey, o.grey | 128]), 4)),
    Row("greys of 16 bits with alpha", lambda o: png_of(np.dstack([o.grey, o.grey | 128]).astype(np.uint16) * 257, 4)),
    Row("colours of 8 bits", lambda o: png_of(o.rgb, 2)),
    Row("colours with one of them transparent", lambda o: png_of(o.rgb, 2, png_chunk(b"tRNS", b"\0\1\0\2\0\3"))),
    Row("colours of 16 bits", lambda o: png_of(o.rgb.astype(np.uint16) * 257, 2)),
    Row("colours with alpha", lambda o: png_of(np.dstack([o.rgb, o.grey | 128]), 6)),
    Row("colours of 16 bits with alpha", lambda o: png_of(np.dstack([o.rgb, o.grey]).astype(np.uint16) * 257, 6)),
    Row("a palette", lambda o: pillow(o.pixels, "PNG", "P")),
    Row("a palette with alpha", lambda o: pillow(o.pixels, "PNG", "P", transparency=bytes(range(256)))),
    Row("inks", lambda o: pillow(o.pixels, "JPEG", "CMYK")),
    Row("inks without Adobe's mark", lambda o: jpeg_without(pillow(o.pixels, "JPEG", "CMYK"), 0xEE)),
    Row("inks with a profile", lambda o: with_icc(pillow(o.pixels, "JPEG", "CMYK"), ink_profile())),
    Row("inks with a screen's profile", lambda o: with_icc(pillow(o.pixels, "JPEG", "CMYK"), srgb_profile())),
    Row("a profile of sRGB", lambda o: with_icc(o.jpeg, srgb_profile())),
    Row("a profile of Display P3", lambda o: with_icc(o.jpeg, display_p3())),
    Row("a profile of greys", lambda o: with_icc(encoded(o.grey, ".jpg"), grey_profile(1.8))),
    Row("a profile of greys on colours", lambda o: with_icc(o.jpeg, grey_profile(1.8))),
    Row("a profile of inks on colours", lambda o: with_icc(o.jpeg, ink_profile())),
    Row("a profile of noise", lambda o: with_icc(o.jpeg, bytes(range(256)) * 8)),
    Row("a profile cut short", lambda o: with_icc(o.jpeg, display_p3()[:300])),
    Row("a profile in 255 segments that are not there", lambda o: jpeg_with(o.jpeg, 0xE2, b"ICC_PROFILE\0\x01\xff" + display_p3())),
    Row("a profile of 6 MB", lambda o: with_icc(o.jpeg, display_p3() + bytes(6_000_000))),
    Row("a PNG profile that does not unpack", lambda o: png_with(o.png, b"iCCP", b"x\0\0" + bytes(50))),
    Row("a PNG of linear light", lambda o: png_with(o.png, b"gAMA", struct.pack(">I", 100_000))),
    Row("a PNG of Adobe RGB by its primaries", lambda o: png_with(o.png, b"cHRM", struct.pack(">8I", *CHROMATICITIES["Adobe RGB"]))),
    Row("a PNG of impossible primaries", lambda o: png_with(o.png, b"cHRM", bytes(32))),
    Row("a PNG of Display P3 by code points", lambda o: png_with(o.png, b"cICP", bytes([12, 13, 0, 1]))),
    Row("a PNG of BT.2020 by code points", lambda o: png_with(o.png, b"cICP", bytes([9, 1, 0, 1]))),
    Row("a PNG of PQ", lambda o: png_with(o.png, b"cICP", bytes([9, 16, 0, 1]))),
    Row("a PNG of HLG with its brightness", lambda o: png_with(png_with(png_with(o.png, b"mDCV", bytes(24)), b"cLLI", b"\xff" * 8), b"cICP", bytes([9, 18, 0, 1]))),
    Row("a PNG of unknown code points", lambda o: png_with(o.png, b"cICP", bytes([77, 99, 0, 1]))),
    Row("a PNG of code points with a matrix", lambda o: png_with(o.png, b"cICP", bytes([9, 16, 9, 1]))),
    Row("a PNG of code points cut short", lambda o: png_with(o.png, b"cICP", b"\x09")),
    Row("a PNG of the range of video", lambda o: png_with(png_of((o.rgb // 255 * 0 + 16 + o.rgb * 0.859).astype(np.uint8), 2), b"cICP", bytes([1, 13, 0, 0]))),
    Row("colours of 16 bits in linear light", lambda o: png_of(linear(o.rgb), 2, png_chunk(b"gAMA", struct.pack(">I", 100_000)))),
    Row("greys of 16 bits in linear light", lambda o: png_of(linear(o.grey), 0, png_chunk(b"gAMA", struct.pack(">I", 100_000)))),
    Row("a PNG of gamma zero", lambda o: png_with(o.png, b"gAMA", bytes(4))),
]  # fmt: skip

AVIF = [
    Row("an AVIF", lambda o: pillow(o.pixels, "AVIF")),
    Row("an AVIF of greys", lambda o: pillow(o.pixels, "AVIF", "L")),
    Row("an AVIF with alpha", lambda o: pillow_alpha(o, "AVIF")),
    Row("an AVIF that turns", lambda o: pillow(np.rot90(o.pixels).copy(), "AVIF", exif=b"Exif\0\0" + exif(6))),
    Row("an AVIF with a profile", lambda o: pillow(o.pixels, "AVIF", icc_profile=display_p3())),
    Row("an AVIF named by another brand first", lambda o: pillow(o.pixels, "AVIF").replace(b"ftypavif", b"ftypmif1", 1)),
    Row("a moving AVIF", lambda o: pillow(o.pixels, "AVIF", save_all=True, append_images=other(o)), "image_animated"),
    Row("an AVIF of 60,000 px", lambda o: resized_avif(o, 60_000), "image_too_large_pixels"),
    Row("an AVIF that is to be shown larger than it is", lambda o: resized_avif(o, 600)),
    damaged("an AVIF cut in half", lambda o: pillow(o.pixels, "AVIF")[:9000], by_header=True),
    damaged("an AVIF without its boxes", lambda o: pillow(o.pixels, "AVIF")[:32], by_header=True),
]  # fmt: skip

ROWS = [*NOT_A_PHOTO, *TWO_IN_ONE, *JPEG, *PNG, *WEBP, *EXIF, *COLOURS, *AVIF]


def restarting(original: Original) -> bytes:
    return encoded(original.pixels, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 3)


def turned(original: Original, extension: str) -> bytes:
    return encoded(np.rot90(original.pixels).copy(), extension)


def two_exif_webp(original: Original) -> bytes:
    picture = turned(original, ".webp")[12:]
    return riff(vp8x(0x08, *original.size), picture, riff_chunk(b"EXIF", exif(6)), riff_chunk(b"EXIF", exif(1)))


def pillow_alpha(original: Original, kind: str) -> bytes:
    """Half of the photo is seen in half, none of it not at all."""
    alpha = np.full(original.size[::-1], 255, np.uint8)
    alpha[:, : original.size[0] // 2] = 160
    return saved(Image.fromarray(np.dstack([original.rgb, alpha])), kind)


def resized_avif(original: Original, side: int) -> bytes:
    """The size that its header tells is another than that of its pixels."""
    size = struct.pack(">II", *original.size)
    return pillow(original.pixels, "AVIF").replace(
        b"ispe\0\0\0\0" + size, b"ispe\0\0\0\0" + struct.pack(">II", side, side)
    )


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.bin", content)
    return buffer.getvalue()


def other(original: Original) -> list[object]:
    return [Image.fromarray(original.rgb[::-1].copy())]


def told_at_the_end(data: bytes) -> bytes:
    """Height 0 in the frame header, and a DNL segment after the pixels (ITU-T T.81, section B.2.5)."""
    at = frame_header(data) + 1
    return patched(data, at, b"\0\0")[:-2] + jpeg_segment(0xDC, data[at : at + 2]) + b"\xff\xd9"


def two_channels(data: bytes) -> bytes:
    at = frame_header(data)
    header = data[at : at + 5] + b"\2" + data[at + 6 : at + 12]
    scan = b"\2\1\0\2\x11\0\x3f\0"
    start = data.index(b"\xff\xda")
    return (
        data[: at - 4]
        + jpeg_segment(0xC0, header)
        + data[at + 15 : start]
        + jpeg_segment(0xDA, scan)
        + data[start + 14 :]
    )


def coded_as(data: bytes, marker: int) -> bytes:
    return patched(data, frame_header(data) - 3, bytes([marker]))


def in_pieces(data: bytes) -> bytes:
    """IDAT chunks of a few bytes, as the standard allows."""
    at = data.index(b"IDAT")
    (length,) = struct.unpack_from(">I", data, at - 4)
    body = data[at + 4 : at + 4 + length]
    step = length // 1000 + 1
    pieces = [png_chunk(b"IDAT", body[n : n + step]) for n in range(0, length, step)]
    return data[: at - 4] + b"".join(pieces) + data[at + 8 + length :]


def for_a_phone(original: Original) -> bytes:
    """Pixels without the header of zlib, as a chunk ``CgBI`` says."""
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in original.rgb))[2:-4]
    header = struct.pack(">IIBBBBB", *original.size, 8, 2, 0, 0, 0)
    chunks = (b"CgBI", bytes(4)), (b"IHDR", header), (b"IDAT", body), (b"IEND", b"")
    return PNG_SIGNATURE + b"".join(png_chunk(*chunk) for chunk in chunks)


def overfull(megabytes: int) -> bytes:
    """A black photo of 512 × 512 px, and zeros behind it that nobody asked for."""
    header = struct.pack(">IIBBBBB", 512, 512, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zeros_packed(megabytes)), (b"IEND", b"")
    return PNG_SIGNATURE + b"".join(png_chunk(*chunk) for chunk in chunks)
