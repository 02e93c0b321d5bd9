"""Kinds of things that the engine learns from (``learn.py``): each is drawn before a face by ``drawing.py``."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from benchmarks.quality import shapes
from benchmarks.quality.drawing import (
    FINER,
    Frame,
    Piece,
    any_colour,
    bright,
    circle,
    dull,
    filled,
    laid,
    material,
    patterned,
    skin_of,
    strip,
)  # fmt: skip
from benchmarks.quality.faces import Random, Shot

from facefleet.engine.types import Floats, Pixels

Maker = Callable[[Frame, Random], list[Piece]]


def _piece(frame: Frame, origin: Floats, colour: Floats, *loops: Floats) -> Piece:
    return Piece(filled(frame, origin, *loops), colour)


def _microphone(frame: Frame, rng: Random) -> list[Piece]:
    size, lean = rng.uniform(0.13, 0.24), rng.uniform(-0.5, 0.5)
    x, y = rng.uniform(-0.12, 0.12), rng.uniform(0.02, 0.18)
    colour = dull(rng) if rng.random() < 0.7 else bright(rng)
    handle = strip((x, y), (x + lean, y + 1.1), (size * 1.0, size * 0.7))
    return [
        _piece(frame, frame.mouth, material(frame, rng, dull(rng), 1), handle),
        _piece(frame, frame.mouth, material(frame, rng, colour, 2, "mesh"), circle((x, y), (size, size))),
    ]


def _cup(frame: Frame, rng: Random) -> list[Piece]:
    x, top, wide, tall = (
        rng.uniform(-0.1, 0.1),
        rng.uniform(-0.16, 0.02),
        rng.uniform(0.22, 0.34),
        rng.uniform(0.5, 0.9),
    )
    colour, sleeve = any_colour(rng), any_colour(rng)
    whole = strip((x, top), (x * 1.5, top + tall), (2 * wide, 1.5 * wide))
    pieces = [_piece(frame, frame.mouth, material(frame, rng, colour, 1, patterned(rng, 0.2)), whole)]
    if rng.random() < 0.6:
        band = strip((x, top + 0.3 * tall), (x * 1.2, top + 0.7 * tall), (1.88 * wide, 1.66 * wide))
        pieces.append(_piece(frame, frame.mouth, material(frame, rng, sleeve, 1, patterned(rng)), band))
    return pieces


def _straw(frame: Frame, rng: Random) -> list[Piece]:
    wide, x = rng.uniform(0.035, 0.06), rng.uniform(-0.1, 0.1)
    end = (rng.uniform(-0.6, 0.6), rng.uniform(0.5, 0.9))
    colour = any_colour(rng)
    return [
        _piece(frame, frame.mouth, material(frame, rng, colour, 0.7, patterned(rng)), strip((x, 0), end, (wide, wide)))
    ]


def _food(frame: Frame, rng: Random) -> list[Piece]:
    pieces, x, y = [], rng.uniform(-0.12, 0.12), rng.uniform(0, 0.15)
    wide = rng.uniform(0.2, 0.36)
    for level in range(int(rng.integers(1, 5))):
        colour = np.array(
            [(60, 120, 190), (40, 60, 110), (60, 150, 90), (70, 190, 235), (40, 40, 190)][rng.integers(5)]
        )
        lump = circle(
            (x, y + 0.1 * level), (wide * rng.uniform(0.9, 1.1), rng.uniform(0.1, 0.17)), rng.uniform(-0.2, 0.2)
        )
        pieces.append(_piece(frame, frame.mouth, material(frame, rng, colour.astype(np.float32), 3), lump))
    return pieces


def _phone(frame: Frame, rng: Random) -> list[Piece]:
    wide, tall, lean = rng.uniform(0.2, 0.32), rng.uniform(0.5, 0.7), rng.uniform(-0.4, 0.4)
    x, y = rng.uniform(-0.4, 0.4), rng.uniform(-0.2, 0.3)
    body = strip((x - lean * tall / 2, y - tall / 2), (x + lean * tall / 2, y + tall / 2), (2 * wide, 2 * wide))
    lens = circle((x - lean * tall / 2.5 - wide / 2, y - tall / 2 + 0.1), (0.05, 0.05))
    colour = dull(rng) if rng.random() < 0.7 else bright(rng)
    return [
        _piece(frame, frame.nose, material(frame, rng, colour, 0.4), body),
        _piece(frame, frame.nose, material(frame, rng, dull(rng), 0.4), lens),
    ]


def _hand(frame: Frame, rng: Random) -> list[Piece]:
    skin, side = skin_of(frame, rng), rng.choice([-1, 1])
    origin = [frame.mouth, frame.nose, frame.at(50), frame.at(280), frame.eye(0), frame.eye(1)][rng.integers(6)]
    turn, size = rng.uniform(-0.9, 0.9), rng.uniform(0.75, 1.1)
    cos, sin = np.cos(turn), np.sin(turn)

    def placed(loop: Floats) -> Floats:
        return np.asarray(loop @ np.array([[cos, sin], [-sin, cos]], np.float32) * np.float32(size), np.float32)

    pieces = [_piece(frame, origin, material(frame, rng, skin, 1.2), placed(circle((side * 0.55, 0.2), (0.36, 0.3))))]
    for finger in range(int(rng.integers(2, 5))):
        y = -0.05 + 0.13 * finger
        tip, colour = -side * rng.uniform(0.0, 0.2), skin * np.float32(rng.uniform(0.9, 1.08))
        loops = (strip((side * 0.5, y + 0.04), (tip, y), (0.13, 0.11)), circle((tip, y), (0.06, 0.056)))
        pieces.append(_piece(frame, origin, material(frame, rng, colour, 1), *(placed(loop) for loop in loops)))
    return pieces


def _eye_patch(frame: Frame, rng: Random) -> list[Piece]:
    side, wide = int(rng.integers(2)), rng.uniform(0.13, 0.2)
    colour, pattern = (dull(rng) if rng.random() < 0.7 else bright(rng)), patterned(rng, 0.25)
    out = -1 if side == 0 else 1
    loops = [circle((0, rng.uniform(-0.02, 0.02)), (wide, rng.uniform(0.1, 0.16)))]
    if rng.random() < 0.7:
        loops.append(
            strip((out * 0.5, rng.uniform(-0.12, 0.05)), (-out * 1.0, rng.uniform(-0.45, -0.1)), (0.025, 0.025))
        )
    return [_piece(frame, frame.eye(side), material(frame, rng, colour, 1, pattern), *loops)]


def _goggles(frame: Frame, rng: Random) -> list[Piece]:
    middle = frame.at(168)
    tall, colour, lens = rng.uniform(0.14, 0.2), any_colour(rng), any_colour(rng)
    outer = (
        strip((-0.48, 0.02), (0.48, 0.02), (2 * tall, 2 * tall)),
        circle((-0.45, 0.02), (0.1, tall)),
        circle((0.45, 0.02), (0.1, tall)),
    )
    strap = strip((-0.8, -0.02), (0.8, -0.02), (0.1, 0.1))
    glass = (circle((-0.25, 0.03), (0.2, tall * 0.78)), circle((0.25, 0.03), (0.2, tall * 0.78)))
    return [
        _piece(frame, middle, material(frame, rng, colour, 1), *outer, strap),
        _piece(frame, middle, material(frame, rng, lens, 0.5), *glass),
    ]


def _headset(frame: Frame, rng: Random) -> list[Piece]:
    side, wide = rng.choice([-1, 1]), rng.uniform(0.025, 0.04)
    colour, end = dull(rng), (side * rng.uniform(0.02, 0.2), rng.uniform(-0.02, 0.12))
    knee = (side * 0.4, 0.08)
    loops = (strip((side * 0.62, -0.35), knee, (wide, wide)), strip(knee, end, (wide, wide)))
    foam = circle(end, (rng.uniform(0.05, 0.09), rng.uniform(0.045, 0.07)))
    return [
        _piece(frame, frame.mouth, material(frame, rng, colour, 0.6), *loops),
        _piece(frame, frame.mouth, material(frame, rng, colour * np.float32(0.8), 2), foam),
    ]


def _sticker(frame: Frame, rng: Random) -> list[Piece]:
    size = rng.uniform(0.09, 0.26)
    origin = frame.at(int(rng.choice([50, 280, 1, 13, 9, 152, 159, 386, 205, 425])))
    pieces = [_piece(frame, origin, material(frame, rng, bright(rng), 0.2), circle((0, 0), (size, size)))]
    for x in (-0.35, 0.35):
        dark = np.array([30, 30, 40], np.float32)
        pieces.append(
            _piece(
                frame,
                origin,
                material(frame, rng, dark, 0.1),
                circle((x * size, -0.2 * size), (0.12 * size, 0.2 * size)),
            )
        )
    return pieces


def _caption(frame: Frame, rng: Random) -> list[Piece]:
    origin, tall = frame.at(int(rng.choice([13, 1, 168, 152, 9]))), rng.uniform(0.1, 0.2)
    bar = strip((-2, 0), (2, rng.uniform(-0.2, 0.2)), (2 * tall, 2 * tall))
    pieces = [_piece(frame, origin, material(frame, rng, any_colour(rng), 0.1), bar)] if rng.random() < 0.6 else []
    mask: Pixels = np.zeros([FINER * each for each in frame.shot.pixels.shape[:2]], np.uint8)
    text = "".join(rng.choice(list("ABCDEFGHKLMNOPRSTUWXYZ 0123456789"), 14))
    height = 1.2 * tall * frame.shot.width * FINER
    scale = height / 22
    x, y = (origin * FINER + np.array([-7 * 0.8 * height, height / 2])).tolist()
    thick = max(2, round(rng.uniform(0.14, 0.24) * height))
    cv2.putText(mask, text, (round(x), round(y)), cv2.FONT_HERSHEY_DUPLEX, scale, 255, thick, cv2.LINE_AA)
    return [*pieces, Piece(mask, material(frame, rng, any_colour(rng), 0.1))]


def _clowns_nose(frame: Frame, rng: Random) -> list[Piece]:
    size = rng.uniform(0.11, 0.19)
    colour = np.array([40, 30, 200], np.float32) if rng.random() < 0.6 else bright(rng)
    glint = circle((-0.35 * size, -0.35 * size), (0.2 * size, 0.15 * size))
    return [
        _piece(frame, frame.nose, material(frame, rng, colour, 0.8), circle((0, 0.02), (size, size))),
        _piece(frame, frame.nose, material(frame, rng, np.array([220, 220, 240], np.float32), 0.1), glint),
    ]


def _cigarette(frame: Frame, rng: Random) -> list[Piece]:
    x, wide = rng.uniform(-0.12, 0.12), rng.uniform(0.035, 0.05)
    end = (x + rng.choice([-1, 1]) * rng.uniform(0.25, 0.5), rng.uniform(0.02, 0.3))
    mid = (x + 0.3 * (end[0] - x), 0.3 * end[1])
    return [
        _piece(
            frame,
            frame.mouth,
            material(frame, rng, np.array([225, 228, 232], np.float32), 0.5),
            strip((x, 0), end, (wide, wide)),
        ),
        _piece(
            frame,
            frame.mouth,
            material(frame, rng, np.array([70, 130, 190], np.float32), 0.5),
            strip((x, 0), mid, (wide, wide)),
        ),
    ]


def _scarf(frame: Frame, rng: Random) -> list[Piece]:
    top = rng.uniform(-0.25, 0.12)
    wave = [
        (x, top + 0.05 * np.sin(4 * x + rng.uniform(0, 6)) + rng.uniform(-0.02, 0.02)) for x in np.linspace(-1, 1, 15)
    ]
    loop = np.array([*wave, (1, 1.2), (-1, 1.2)], np.float32)
    return [_piece(frame, frame.mouth, material(frame, rng, any_colour(rng), 2.5, patterned(rng, 0.6)), loop)]


def _lump(frame: Frame, rng: Random) -> list[Piece]:
    """Anything anywhere."""
    origin = np.asarray(frame.shot.points[int(rng.integers(468)), :2])
    count, size = int(rng.integers(3, 12)), rng.uniform(0.06, 0.36)
    radii = size * rng.uniform(0.6, 1.25, count)
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    loop = np.stack([radii * np.cos(angles), radii * np.sin(angles) * rng.uniform(0.5, 1.5)], axis=1).astype(np.float32)
    colour = skin_of(frame, rng) if rng.random() < 0.15 else any_colour(rng)
    return [_piece(frame, origin, material(frame, rng, colour, rng.uniform(0, 3), patterned(rng)), loop)]


def _rod(frame: Frame, rng: Random) -> list[Piece]:
    """A stick, a wire, a strap or a bar from one place of the face to any other or out of it."""
    origin = np.asarray(frame.shot.points[int(rng.integers(468)), :2])
    angle, wide = rng.uniform(0, 2 * np.pi), rng.uniform(0.03, 0.16)
    ends = [
        (sign * reach * np.cos(angle), sign * reach * np.sin(angle))
        for sign, reach in ((1, 1.5), (-1, rng.uniform(0, 1.5)))
    ]
    colour = skin_of(frame, rng) if rng.random() < 0.1 else any_colour(rng)
    rod = strip(ends[0], ends[1], (wide, wide * rng.uniform(0.6, 1.2)))
    return [_piece(frame, origin, material(frame, rng, colour, rng.uniform(0, 2), patterned(rng, 0.3)), rod)]


def _picture(frame: Frame, rng: Random) -> list[Piece]:
    """A shape cut out of the photo's own surroundings: cloth, hair, leaves, wall."""
    (piece,) = _lump(frame, rng)
    pixels = frame.shot.pixels
    size = max(8, round(rng.uniform(0.3, 0.7) * frame.shot.width))
    corners = [(0, 0), (0, 1), (1, 0), (1, 1)][rng.integers(4)]
    y, x = (corner * max(0, length - size) for corner, length in zip(corners, pixels.shape[:2], strict=True))
    tile = pixels[y : y + size, x : x + size]
    again = [-(-length // len_) for length, len_ in zip(pixels.shape[:2], tile.shape[:2], strict=True)]
    covered = np.tile(np.concatenate([tile, tile[::-1]]), (again[0], again[1], 1))[: pixels.shape[0], : pixels.shape[1]]
    return [Piece(piece.mask, np.asarray(covered, np.float32) * np.float32(rng.uniform(0.7, 1.2)))]


KINDS: dict[str, Maker] = {
    "microphone": _microphone,
    "cup": _cup,
    "straw": _straw,
    "food": _food,
    "phone": _phone,
    "hand": _hand,
    "eye patch": _eye_patch,
    "goggles": _goggles,
    "headset": _headset,
    "sticker": _sticker,
    "caption": _caption,
    "clown's nose": _clowns_nose,
    "cigarette": _cigarette,
    "scarf": _scarf,
    "lump": _lump,
    "rod": _rod,
    "picture": _picture,
    "solid": shapes.solid,
    "flat": shapes.flat,
    "cord": shapes.cord,
    "ring": shapes.ring,
    "fingers": shapes.fingers,
}


def before(shot: Shot, kind: str, rng: Random) -> tuple[Pixels, Floats]:
    """A thing of a kind before the face: the photo, and the thing's share of each pixel."""
    return laid(shot, KINDS[kind](Frame(shot), rng), rng)
