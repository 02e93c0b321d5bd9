"""Photos damaged at random, but by their structure: a case is made again from its seed and number alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from itertools import islice
from random import Random

import cv2
import numpy as np
from tests.media.pictures import png_chunk
from tests.odd.table import ROWS, Original

from facefleet.errors.input import ImageError
from facefleet.media.parts import PNG_SIGNATURE, Part, jpeg_segments, png_chunks, webp_chunks

SIDE = 96
LARGEST = 60_000  # bytes of a seed; a bomb is slow to copy and has its own row in the table
EXTREMES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
COUNTS = (0, 1, 2, 3, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)

Corpus = Sequence[bytes]
Mutation = Callable[[Random, bytes, Corpus], bytes]


def corpus(photo: bytes) -> Corpus:
    """Every odd photo that is read, small."""
    image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    original = Original(np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8))
    made = [row.make(original) for row in ROWS if row.code in ("", "image_animated")]
    return [data for data in made if len(data) <= LARGEST]


def case(seed: int, number: int, seeds: Corpus) -> bytes:
    """One damaged photo."""
    random = Random(f"{seed}/{number}")
    data = random.choice(seeds)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(MUTATIONS)(random, data, seeds)
    return data


def flip_bits(random: Random, data: bytes, seeds: Corpus) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 8) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def flip_header_bits(random: Random, data: bytes, seeds: Corpus) -> bytes:
    return flip_bits(random, data[:700], seeds) + data[700:]


def set_bytes(random: Random, data: bytes, seeds: Corpus) -> bytes:
    at = random.randint(0, len(data))
    new = bytes(random.choice(EXTREMES) for _ in range(random.randint(1, 6)))
    return data[:at] + new + data[at + len(new) :]


def cut(random: Random, data: bytes, seeds: Corpus) -> bytes:
    return data[: random.randint(0, len(data))]


def cut_with_end(random: Random, data: bytes, seeds: Corpus) -> bytes:
    """As a download that was mended: the end is there, the middle is not."""
    return cut(random, data, seeds) + data[-12:]


def drop(random: Random, data: bytes, seeds: Corpus) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + data[at + random.randint(1, 300) :]


def repeat(random: Random, data: bytes, seeds: Corpus) -> bytes:
    at, length = random.randint(0, len(data)), random.randint(1, 300)
    return data[: at + length] + data[at : at + length] * random.randint(1, 40) + data[at + length :]


def splice(random: Random, data: bytes, seeds: Corpus) -> bytes:
    other = random.choice(seeds)
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


def insert_marker(random: Random, data: bytes, seeds: Corpus) -> bytes:
    at = random.randint(0, len(data))
    marker = bytes([0xFF, random.choice((0x01, random.randint(0xC0, 0xFE)))])
    body = random.choice((b"", struct.pack(">H", random.choice(COUNTS) & 0xFFFF), b"\0\x05abc"))
    return data[:at] + marker + body + data[at:]


def lie_about_a_length(random: Random, data: bytes, seeds: Corpus) -> bytes:
    parts = parts_of(data)
    if not parts:
        return data
    part = random.choice(parts)
    count = random.choice((*COUNTS, part.length + 1, max(part.length - 1, 0), part.length * 2))
    if data.startswith(b"\xff\xd8"):
        return data[: part.start - 2] + struct.pack(">H", count & 0xFFFF) + data[part.start :]
    order, at = (">I", part.start - 8) if data.startswith(PNG_SIGNATURE) else ("<I", part.start - 4)
    return data[:at] + struct.pack(order, count & 0xFFFFFFFF) + data[at + 4 :]


def move_a_part(random: Random, data: bytes, seeds: Corpus) -> bytes:
    """A part of another file, of any type, before a part of this one."""
    other = random.choice(seeds)
    here, there = parts_of(data), parts_of(other)
    if not here or not there:
        return data
    part, at = random.choice(there), max(random.choice(here).start - 8, 0)
    return data[:at] + other[max(part.start - 8, 0) : part.start + part.length + 4] + data[at:]


def damage_behind_a_check_sum(random: Random, data: bytes, seeds: Corpus) -> bytes:
    """A chunk's content changed, its check sum right: only then does a decoder look at it."""
    if not data.startswith(PNG_SIGNATURE) or not (parts := parts_of(data)):
        return data
    part = random.choice(parts)
    content = flip_bits(random, data[part.start : part.start + part.length], seeds)
    return data[: part.start - 8] + png_chunk(part.name, content) + data[part.start + part.length + 4 :]


def damage_behind_compression(random: Random, data: bytes, seeds: Corpus) -> bytes:
    """Rows or a profile of a PNG unpacked, changed and packed again."""
    if not data.startswith(PNG_SIGNATURE):
        return data
    parts = [part for part in parts_of(data) if part.name in (b"IDAT", b"iCCP")]
    if not parts:
        return data
    part = random.choice(parts)
    content = data[part.start : part.start + part.length]
    head = 3 if part.name == b"iCCP" else 0
    try:
        raw = zlib.decompressobj().decompress(content[head:], 1_000_000)
    except zlib.error:
        return data
    packed = content[:head] + zlib.compress(random.choice(INSIDE)(random, raw, seeds), 1)
    return data[: part.start - 8] + png_chunk(part.name, packed) + data[part.start + part.length + 4 :]


def damage_a_profile(random: Random, data: bytes, seeds: Corpus) -> bytes:
    """Inside an ICC profile that lies there unpacked."""
    at = data.find(b"acsp")
    if at < 36:
        return data
    length = int.from_bytes(data[at - 36 : at - 32], "big") & 0xFFFF
    profile = data[at - 36 : at - 36 + length]
    return data[: at - 36] + set_bytes(random, flip_bits(random, profile, seeds), seeds) + data[at - 36 + length :]


def parts_of(data: bytes) -> list[Part]:
    """As many as can be read."""
    walk = webp_chunks if data.startswith(b"RIFF") else png_chunks if data.startswith(PNG_SIGNATURE) else jpeg_segments
    found: list[Part] = []
    try:
        for part in islice(walk(data), 200):
            found.append(part)  # noqa: PERF402 - what came before an error is kept
    except ImageError:
        pass
    return found


INSIDE: list[Mutation] = [flip_bits, set_bytes, drop, repeat, cut]
MUTATIONS: list[Mutation] = [
    flip_bits, flip_header_bits, set_bytes, cut, cut_with_end, drop, repeat, splice, insert_marker,
    lie_about_a_length, move_a_part, damage_behind_a_check_sum, damage_behind_compression, damage_a_profile,
]  # fmt: skip
