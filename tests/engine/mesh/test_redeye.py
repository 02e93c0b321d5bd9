from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.prepared import prepare
from facefleet.engine.mesh.redeye import without_red_eyes
from facefleet.engine.types import Face, Pixels, Portrait
from facefleet.options import FuseOptions

EYES = ((33, 133, 159, 145), (263, 362, 386, 374))


def flashed(pixels: Pixels, face: Face) -> Pixels:
    """The same photo as a flash beside the lens would have it: lit retinas."""
    red = pixels.copy()
    for eye in EYES:
        points = face.landmarks[list(eye), :2]
        x, y = (round(float(v)) for v in points.mean(axis=0))
        radius = max(2, round(0.16 * float(np.linalg.norm(points[0] - points[1]))))
        cv2.circle(red, (x, y), radius, (45, 35, 215), -1, cv2.LINE_AA)
    return red


def redness(pixels: Pixels, face: Face) -> float:
    """Of the reddest pixel in the middle of the eyes, levels."""
    worst = 0.0
    for eye in EYES:
        x, y = (round(float(v)) for v in face.landmarks[list(eye), :2].mean(axis=0))
        part = pixels[y - 2 : y + 3, x - 2 : x + 3].astype(int)
        worst = max(worst, float((part[..., 2] - part[..., :2].max(axis=2)).max()))
    return worst


@pytest.mark.parametrize("name", ["smiling_woman", "surprised_woman", "astronaut"])
def test_red_pupils_are_not_carried_over(engine: Engine, photo: Photo, name: str) -> None:
    pixels, face = decode(photo(name)).pixels, engine.faces(photo(name)).faces[0]
    red = flashed(pixels, face)
    assert redness(red, face) > 120
    target = photo("smiling_man")
    fused = engine.fuse(png(red), png(decode(target).pixels), FuseOptions(shape=0.0))
    assert redness(decode(fused.picture.image).pixels, fused.faces[0]) < 60


@pytest.mark.parametrize("name", ["group", "friends", "smiling_man", "portrait_man", "turned_woman", "bearded_man"])
def test_ordinary_eyes_keep_every_pixel(engine: Engine, photo: Photo, name: str) -> None:
    pixels = decode(photo(name)).pixels
    for face in engine.faces(photo(name)).faces:
        ready = prepare(Portrait(pixels, face))
        before = ready.region.of(pixels).copy()
        after = before.copy()
        without_red_eyes(after, ready.region.local(face.landmarks, (ready.region.width, ready.region.height)))
        assert np.array_equal(before, after)
