"""Draws things that are nothing in particular before faces: any shape in any place and colour, that of skin among them.

With the kinds of ``things.py`` they are what the engine learns from, so that it does not learn those kinds by heart.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from benchmarks.quality.drawing import (
    Frame,
    Piece,
    any_colour,
    circle,
    dull,
    filled,
    material,
    octaves,
    skin_of,
    strip,
)  # fmt: skip
from benchmarks.quality.faces import Random

from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

_FEATURES = (topology.RIGHT_EYE, topology.LEFT_EYE, topology.NOSE_TIP, topology.LIPS_OUTER)
SKIN_COLOURED = 0.3  # of the solid shapes


def solid(frame: Frame, rng: Random) -> list[Piece]:
    """A disc, a box, a star or a lump, of one colour or two."""
    loops = _outline(rng, rng.uniform(0.09, 0.3))
    colour = _skin_like(frame, rng) if rng.random() < SKIN_COLOURED else any_colour(rng)
    origin = anywhere(frame, rng)
    return [Piece(filled(frame, origin, *loops), _covering(frame, rng, origin, colour))]


def flat(frame: Frame, rng: Random) -> list[Piece]:
    """A strip or a sheet, pale or of the colour of skin, perhaps with a smaller one on it."""
    origin, turn = anywhere(frame, rng), rng.uniform(0, np.pi)
    long, wide = rng.uniform(0.14, 0.4), rng.uniform(0.05, 0.2)
    colour = _skin_like(frame, rng) if rng.random() < 0.5 else dull(rng)
    pieces = [_box(frame, origin, material(frame, rng, colour, rng.uniform(0, 1.5)), (long, wide), turn, rng)]
    if rng.random() < 0.5:
        inner = (long * rng.uniform(0.2, 0.7), wide * rng.uniform(0.5, 0.9))
        over = colour * np.float32(rng.uniform(0.85, 1.12)) if rng.random() < 0.5 else any_colour(rng)
        pieces.append(_box(frame, origin, material(frame, rng, over, 1), inner, turn, rng))
    return pieces


def cord(frame: Frame, rng: Random) -> list[Piece]:
    """A bent line: a cable, a strap, a stem; perhaps with an end."""
    origin, turn, wide = anywhere(frame, rng), rng.uniform(0, 2 * np.pi), rng.uniform(0.035, 0.1)
    along = np.linspace(-rng.uniform(0, 1.4), rng.uniform(0.25, 1.4), 22)
    aside = rng.uniform(0, 0.12) * np.sin(rng.uniform(1, 7) * along + rng.uniform(0, 6))
    cos, sin = np.cos(turn), np.sin(turn)
    line = np.stack([cos * along - sin * aside, sin * along + cos * aside], axis=1)
    loops = [strip(tuple(a), tuple(b), (wide, wide)) for a, b in pairwise(line)]
    loops += [circle(tuple(point), (wide / 2, wide / 2)) for point in line]
    colour = dull(rng) if rng.random() < 0.6 else any_colour(rng)
    pieces = [Piece(filled(frame, origin, *loops), _covering(frame, rng, origin, colour))]
    if rng.random() < 0.4:
        size = wide * rng.uniform(0.8, 2.2)
        end = circle(tuple(line[0]), (size, size * rng.uniform(0.7, 1.4)), turn)
        pieces.append(Piece(filled(frame, origin, end), material(frame, rng, any_colour(rng), 1)))
    return pieces


def ring(frame: Frame, rng: Random) -> list[Piece]:
    """A rim with another colour in it."""
    origin, size = anywhere(frame, rng), rng.uniform(0.08, 0.22)
    stretch, turn, share = rng.uniform(0.6, 1.0), rng.uniform(0, np.pi), rng.uniform(0.5, 0.9)
    outer, inner = (circle((0, 0), (each, each * stretch), turn) for each in (size, share * size))
    return [
        Piece(filled(frame, origin, outer), material(frame, rng, any_colour(rng), 0.6)),
        Piece(filled(frame, origin, inner), _covering(frame, rng, origin, any_colour(rng))),
    ]


def fingers(frame: Frame, rng: Random) -> list[Piece]:
    """One to five fingers that come in from outside, of skin, with creases between them; perhaps the back of a hand."""
    origin, turn = anywhere(frame, rng), rng.uniform(0, 2 * np.pi)
    skin, wide = _skin_like(frame, rng), rng.uniform(0.1, 0.15)
    count, reach = int(rng.integers(1, 6)), rng.uniform(0.0, 0.25)
    pieces = []
    if rng.random() < 0.6:
        back = circle((0.35 + rng.uniform(0, 0.2), 0), (0.38, 0.5 * wide * count + 0.08))
        pieces.append(_turned(frame, origin, material(frame, rng, skin, rng.uniform(0.6, 1.8)), turn, back))
    for number in range(count):
        y = (number - (count - 1) / 2) * wide * rng.uniform(0.92, 1.02)
        tip, lean = -reach - rng.uniform(-0.04, 0.08), rng.uniform(-0.08, 0.08)
        shade = skin * np.float32(rng.uniform(0.55, 0.85))
        for colour, size in ((shade, wide * 1.12), (skin * np.float32(rng.uniform(0.92, 1.07)), wide)):
            loops = (
                strip((0.9, y + lean), (tip, y), (size, 0.85 * size)),
                circle((tip, y), (0.45 * size, 0.43 * size)),
            )
            pieces.append(_turned(frame, origin, material(frame, rng, colour, 1), turn, *loops))
    return pieces


def anywhere(frame: Frame, rng: Random) -> Floats:
    """A place before the face, px: half of them beside or on a feature."""
    if rng.random() < 0.5:
        origin = frame.at(_FEATURES[rng.integers(4)])
        return np.asarray(origin + rng.normal(0, 0.06, 2) * frame.shot.width, np.float32)
    inner = (50, 280, 205, 425, 199, 9, 151, 117, 346, 168, 197, 57, 287, 18, 69, 299)
    return np.asarray(frame.at(int(rng.choice(inner))) + rng.normal(0, 0.06, 2) * frame.shot.width, np.float32)


def _skin_like(frame: Frame, rng: Random) -> Floats:
    """The face's own colour, nearly, or that of another skin."""
    own = skin_of(frame, rng)
    if rng.random() < 0.7:
        return own
    light, shift = rng.uniform(0.35, 1.3), np.array([rng.uniform(0.8, 1.1), 1.0, rng.uniform(0.95, 1.1)], np.float32)
    return np.asarray(np.clip(own * np.float32(light) * shift, 10, 245), np.float32)


def _covering(frame: Frame, rng: Random, origin: Floats, colour: Floats) -> Floats:
    """``(H, W, 3)`` float32: one colour, or a second one in rings, spokes, a spiral, blots or bands."""
    one = material(frame, rng, colour, rng.uniform(0, 2))
    if rng.random() < 0.45:
        return one
    shape, width = frame.shot.pixels.shape, frame.shot.width
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    dx, dy = (x - origin[0]) / width, (y - origin[1]) / width
    away, angle, pitch = np.hypot(dx, dy), np.arctan2(dy, dx), rng.uniform(0.05, 0.16)
    slant = rng.uniform(0, np.pi)
    waves = (
        np.sin(2 * np.pi * away / pitch),
        np.sin(rng.integers(2, 9) * angle),
        np.sin(2 * np.pi * away / pitch + rng.integers(1, 4) * angle),
        octaves(shape, rng, 1.5, max(3.0, pitch * width))[..., 0],
        np.sin(2 * np.pi * (np.cos(slant) * dx + np.sin(slant) * dy) / pitch),
    )
    share = np.clip(0.5 + rng.choice([1.0, 4.0]) * waves[rng.integers(5)], 0, 1)[..., None]
    other = material(frame, rng, any_colour(rng), 1)
    return np.asarray(one * (1 - share) + other * share, np.float32)


def _outline(rng: Random, size: float) -> tuple[Floats, ...]:
    kind, turn, stretch = int(rng.integers(4)), rng.uniform(0, np.pi), rng.uniform(0.55, 1.0)
    if kind == 0:
        return (circle((0, 0), (size, size * stretch), turn),)
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    if kind == 1:  # a box with round corners
        radii = (np.abs(np.cos(angles)) ** 6 + np.abs(np.sin(angles) / stretch) ** 6) ** (-1 / 6)
    elif kind == 2:
        radii = 1 + rng.uniform(0.1, 0.4) * np.sin(int(rng.integers(3, 8)) * angles)
    else:
        radii = 1 + sum(rng.normal(0, 0.3 / n) * np.sin(n * angles + rng.uniform(0, 6)) for n in range(1, 7))
        radii = np.clip(radii, 0.3, 2)
    x, y = size * radii * np.cos(angles), size * radii * np.sin(angles)
    cos, sin = np.cos(turn), np.sin(turn)
    return (np.stack([cos * x - sin * y, sin * x + cos * y], axis=1).astype(np.float32),)


def _box(frame: Frame, origin: Floats, colour: Floats, half: tuple[float, float], turn: float, rng: Random) -> Piece:
    """Turned, with corners that are round or not."""
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    power = float(rng.choice([3.0, 6.0, 14.0]))
    radii = (np.abs(np.cos(angles) / half[0]) ** power + np.abs(np.sin(angles) / half[1]) ** power) ** (-1 / power)
    loop = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1).astype(np.float32)
    return _turned(frame, origin, colour, turn, loop)


def _turned(frame: Frame, origin: Floats, colour: Floats, turn: float, *loops: Floats) -> Piece:
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, sin], [-sin, cos]], np.float32)
    mask: Pixels = filled(frame, origin, *(np.asarray(loop @ matrix, np.float32) for loop in loops))
    return Piece(mask, colour)
