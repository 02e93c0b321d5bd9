"""Photos as odd or hostile encoders would write them, all made from pixels at hand."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable

import cv2
import numpy as np
from PIL import Image, ImageCms
from tests.media.pictures import jpeg_segment, png_chunk, png_with, riff, riff_chunk, vp8x

from facefleet.engine.types import Pixels
from facefleet.media.parts import PNG_SIGNATURE, jpeg_segments, png_chunks, webp_chunks

CHROMATICITIES = {  # white, red, green, blue; 100,000 times x and y
    "sRGB": (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    "Display P3": (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000),
    "Adobe RGB": (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000),
}


def pillow(pixels: Pixels, kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    """BGR pixels as Pillow writes them."""
    image = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    return saved(image.convert(mode), kind, **options)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    quick = {"speed": 10} if kind == "AVIF" else {}  # a tenth of the time, and no less an AVIF
    image.save(buffer, kind, **quick, **options)
    return buffer.getvalue()


def grey(pixels: Pixels) -> Pixels:
    """``(H, W)``."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)


# ── PNG ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def png(depth: int, colour: int, rows: Iterable[bytes], size: tuple[int, int], *before: bytes, laced: int = 0) -> bytes:
    """A PNG by the book; ``before`` are chunks that come ahead of the pixels."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, laced)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    chunks = [png_chunk(b"IHDR", header), *before, png_chunk(b"IDAT", body), png_chunk(b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(chunks)


def png_of(samples: np.ndarray, colour: int, *before: bytes) -> bytes:
    """``(H, W)`` or ``(H, W, C)`` samples of 8 or 16 bits, in the order of the file."""
    depth = 16 if samples.dtype == np.uint16 else 8
    stored = samples.astype(">u2") if depth == 16 else samples
    return png(depth, colour, [row.tobytes() for row in stored], (samples.shape[1], samples.shape[0]), *before)


def packed_grey_png(pixels: Pixels, depth: int, *before: bytes) -> bytes:
    """Greys of 1, 2 or 4 bits; the width must be a multiple of 8."""
    levels = (grey(pixels) >> (8 - depth)).astype(np.uint8)
    bits = ((levels[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
    rows = np.packbits(bits.reshape(levels.shape[0], -1), axis=1)
    return png(depth, 0, [row.tobytes() for row in rows], (levels.shape[1], levels.shape[0]), *before)


def interlaced_png(pixels: Pixels) -> bytes:
    """Adam7 (PNG, section 8.1)."""
    rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [row.tobytes() for y, x, down, across in passes for row in rgb[y::down, x::across]]
    return png(8, 2, rows, (pixels.shape[1], pixels.shape[0]), laced=1)


def png_without(data: bytes, unwanted: bytes) -> bytes:
    """Without chunks of this name."""
    at, kept = len(PNG_SIGNATURE), [PNG_SIGNATURE]
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] != unwanted:
            kept.append(data[at : at + 12 + length])
        at += 12 + length
    return b"".join(kept)


def zeros_packed(megabytes: int) -> bytes:
    """So many megabytes in a thousandth of their size."""
    packer = zlib.compressobj(9, wbits=-15)
    once = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # can stand anywhere any number of times
    check = ((megabytes << 20) % 65_521) << 16 | 1
    return b"\x78\xda" + once * megabytes + b"\x03\0" + struct.pack(">I", check)


def wrong_check_sum(data: bytes, name: bytes) -> bytes:
    """The first chunk of this name has another check sum than its content."""
    at = data.index(name)
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return patched(data, end, b"\0\0\0\0")


def fctl(size: tuple[int, int], left: int = 0, top: int = 0) -> bytes:
    """A frame of an animated PNG."""
    return png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, *size, left, top, 0, 10, 0, 0))


def one_frame_png(canvas: bytes, frame: bytes, *controls: bytes, left: int = 0, top: int = 0) -> bytes:
    """An animation that says it has one frame: the picture of the canvas, or one that comes behind it."""
    data = png_with(canvas, b"acTL", struct.pack(">II", 1, 0))
    at = data.index(b"IDAT") - 4
    data = data[:at] + b"".join(controls) + data[at:]
    if not frame:
        return data
    pieces = [frame[part.start : part.start + part.length] for part in png_chunks(frame) if part.name == b"IDAT"]
    behind = [png_chunk(b"fdAT", struct.pack(">I", n + 1) + piece) for n, piece in enumerate(pieces)]
    size = struct.unpack_from(">II", frame, 16)
    return data[:-12] + fctl((size[0], size[1]), left, top) + b"".join(behind) + data[-12:]


def linear(samples: np.ndarray) -> np.ndarray:
    """Values of sRGB as linear light of 16 bits."""
    values = samples / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.round(light * 65535).astype(np.uint16)


# ── WebP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def one_frame_webp(
    still: bytes, canvas: tuple[int, int], left: int = 0, top: int = 0, frame: tuple[int, int] | None = None
) -> bytes:
    """An animation of one frame that holds a still picture."""
    chunks = [part for part in webp_chunks(still) if part.name in (b"ALPH", b"VP8 ", b"VP8L")]
    inner = b"".join(riff_chunk(part.name, part.of(still)) for part in chunks)
    width, height = frame or canvas
    numbers = (left // 2, top // 2, width - 1, height - 1, 100)
    body = b"".join(number.to_bytes(3, "little") for number in numbers) + b"\0" + inner
    return riff(vp8x(0x12, *canvas), riff_chunk(b"ANIM", bytes(6)), riff_chunk(b"ANMF", body))


# ── JPEG ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def jpeg_with(data: bytes, marker: int, body: bytes) -> bytes:
    """The segment comes first."""
    return data[:2] + jpeg_segment(marker, body) + data[2:]


def stray(data: bytes, between: bytes) -> bytes:
    """Bytes behind the first segment that belong to none."""
    at = next(part.start + part.length for part in jpeg_segments(data))
    return data[:at] + between + data[at:]


def jpeg_without(data: bytes, marker: int) -> bytes:
    """Without segments of this marker."""
    kept = [data[:2]]
    for name, start, length in jpeg_segments(data):
        end = len(data) if name == b"\xda" else start + length
        if name[0] != marker:
            kept.append(data[start - 4 : end])
    return b"".join(kept)


def frame_header(data: bytes) -> int:
    """Where the content of the frame header starts: precision, height, width, components."""
    return next(part.start for part in jpeg_segments(data) if part.name in (b"\xc0", b"\xc1", b"\xc2"))


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def with_icc(data: bytes, profile: bytes) -> bytes:
    """A profile in as many APP2 segments as it needs."""
    pieces = [profile[at : at + 60_000] for at in range(0, len(profile), 60_000)]
    for number, piece in reversed(list(enumerate(pieces, 1))):
        data = jpeg_with(data, 0xE2, b"ICC_PROFILE\0" + bytes([number, len(pieces)]) + piece)
    return data


def several_pictures(data: bytes, *others: bytes) -> bytes:
    """The CIPA multi-picture format: an index in APP2, the other pictures behind the end of the first."""
    count = 1 + len(others)
    entries = b"".join(struct.pack("<IIIHH", 0x030000, len(one), 0, 0, 0) for one in (data, *others))
    tags = struct.pack("<HHHI4s", 3, 0xB000, 7, 4, b"0100") + struct.pack("<HHII", 0xB001, 4, 1, count)
    tags += struct.pack("<HHII", 0xB002, 7, len(entries), 50) + bytes(4)
    return b"".join([jpeg_with(data, 0xE2, b"MPF\0II*\0\x08\0\0\0" + tags + entries), *others])


def many_scans(data: bytes, count: int) -> bytes:
    """A progressive JPEG whose last scan is written again and again: each makes a decoder run over all blocks."""
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * count + data[end:]


# ── profiles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def icc(space: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile of version 2.4 with its own tags (ICC.1:2001-04)."""
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    pcs = b"Lab " if b"A2B0" in tags else b"XYZ "
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02400000, kind, space, pcs)
    return head + bytes(12) + b"acsp" + bytes(28) + xyz(0.9642, 1, 0.8249)[8:] + bytes(48) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def grey_profile(gamma: float) -> bytes:
    return icc(b"GRAY", b"mntr", {b"wtpt": xyz(0.9642, 1, 0.8249), b"kTRC": gamma_curve(gamma)})


def display_p3() -> bytes:
    """Display P3's colorants as its maker publishes them (D50), with a curve of 2.2."""
    tags = {b"wtpt": xyz(0.9642, 1, 0.8249), b"rXYZ": xyz(0.51512, 0.2412, -0.00105)}
    tags |= {b"gXYZ": xyz(0.29198, 0.69225, 0.04189), b"bXYZ": xyz(0.1571, 0.06657, 0.78407)}
    tags |= {name: gamma_curve(2.2) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return icc(b"RGB ", b"mntr", tags)


def ink_profile() -> bytes:
    """A printer of four inks by a table of two steps an ink: paper, and each mix darker and less blue than is naive."""
    steps = np.array(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij")).reshape(4, -1).T
    red, green, blue = ((1 - steps[:, n]) * (1 - steps[:, 3]) for n in range(3))
    light = 0.2 * red + 0.7 * green + 0.1 * blue
    lab = np.column_stack([light, 0.5 + 0.2 * (red - green), 0.5 + 0.2 * (green - blue)])
    table = np.round(np.clip(lab, 0, 1) * [65280, 65280, 65280]).astype(">u2").tobytes()
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    head = b"mft2\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + struct.pack(">HH", 2, 2)
    line = struct.pack(">HH", 0, 65535)
    return icc(b"CMYK", b"prtr", {b"wtpt": xyz(0.9642, 1, 0.8249), b"A2B0": head + line * 4 + table + line * 3})


# ── metadata ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SECRETS = (b"SN-4711-0815", b"Jane Roe", b"iPrivate 17 Pro", b"52.5200", b"MAKER-NOTE-BLOB", b"a caption", b"PREVIEW")


def telling_exif(orientation: int = 1) -> bytes:
    """A TIFF block with a camera's name and serial number, its owner, a place, a maker note and a preview."""
    texts = {0x010F: SECRETS[2], 0x9286: SECRETS[5], 0x927C: SECRETS[4], 0xA430: SECRETS[1], 0xA431: SECRETS[0]}
    texts |= {0x8298: SECRETS[3], 0x0201: SECRETS[6]}
    entries, blob, at = b"", b"", 8 + 2 + 12 * (len(texts) + 1) + 4
    for tag, text in sorted(texts.items() | {(0x0112, b"")}):
        if tag == 0x0112:
            entries += struct.pack("<HHIHH", tag, 3, 1, orientation, 0)
        else:
            entries += struct.pack("<HHII", tag, 2, len(text), at + len(blob))
            blob += text
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(texts) + 1) + entries + bytes(4) + blob


def telling_xmp() -> bytes:
    names = b"".join(b"<rdf:li>" + secret + b"</rdf:li>" for secret in SECRETS)
    return b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>' + names + b"</rdf:RDF></x:xmpmeta>"
