"""Grey hair on real photos: only where it is hair."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.types import Face, Pixels
from facefleet.options import AgeOptions


def older(engine: Engine, photo: bytes) -> tuple[Pixels, Pixels, Face]:
    before = decode(photo).pixels
    fusion = engine.age(png(before), AgeOptions(age=1.0))  # PNG: nothing but the step changes a pixel
    return before, decode(fusion.picture.image).pixels, fusion.faces[0]


def above(pixels: Pixels, face: Face, low: float, high: float) -> Pixels:
    """A strip over the forehead, between two heights over the face's box in its widths."""
    box = face.box
    rows = slice(max(0, int(box.y - high * box.width)), max(1, int(box.y - low * box.width)))
    return pixels[rows, int(box.x + 0.3 * box.width) : int(box.x + 0.7 * box.width)]


def lightness(pixels: Pixels) -> float:
    return float(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).mean())


def colour(pixels: Pixels) -> float:
    """Mean distance between the channels."""
    return float(np.ptp(pixels.astype(int), axis=2).mean())


@pytest.mark.parametrize("name", ["smiling_woman", "turned_woman"])
def test_dark_hair_turns_lighter(engine: Engine, photo: Photo, name: str) -> None:
    before, after, face = older(engine, photo(name))
    assert lightness(above(after, face, 0.12, 0.24)) > 1.15 * lightness(above(before, face, 0.12, 0.24))


def test_brown_hair_loses_its_colour(engine: Engine, photo: Photo) -> None:
    before, after, face = older(engine, photo("astronaut"))
    assert colour(above(after, face, 0.02, 0.15)) < 0.65 * colour(above(before, face, 0.02, 0.15))


def test_a_black_hat_stays_black(engine: Engine, photo: Photo) -> None:
    before, after, face = older(engine, photo("grace_hopper"))
    assert np.abs(above(before, face, 0.1, 0.25).astype(int) - above(after, face, 0.1, 0.25)).mean() < 1


def test_the_wall_beside_the_hair_stays(engine: Engine, photo: Photo) -> None:
    before, after, face = older(engine, photo("smiling_woman"))
    wall = (slice(int(face.box.y - 20), int(face.box.y + 20)), slice(0, int(face.box.x - 0.28 * face.box.width)))
    assert before[wall].size > 1000
    assert np.abs(before[wall].astype(int) - after[wall]).mean() < 1


def test_brows_turn_lighter(engine: Engine, photo: Photo) -> None:
    before, after, face = older(engine, photo("smiling_man"))
    x, y = np.round(face.landmarks[[105, 66], :2].mean(axis=0)).astype(int)
    brow = (slice(y - 3, y + 8), slice(x - 8, x + 9))
    assert np.percentile(after[brow], 20) > np.percentile(before[brow], 20) + 4
