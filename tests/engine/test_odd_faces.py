"""Photos whose files are fine and whose faces are not what they should be: the outcome of each, as either photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo

from facefleet.engine.fusion import Engine
from facefleet.engine.image import decode
from facefleet.engine.steps.mesh import OVAL
from facefleet.engine.types import Face, Floats, Pixels
from facefleet.errors import FaceError

NOSE_BRIDGE, CHIN = 195, 152
OK = ""


@dataclass(frozen=True, slots=True)
class Odd:
    """A photo and what comes of it: ``OK`` or the code of the refusal.

    Attributes:
        make: From the engine and the sample photos.
        faces: How many are found.
    """

    name: str
    make: Callable[[Engine, Photo], bytes]
    faces: int
    as_source: str = OK
    as_target: str = OK


def png(pixels: Pixels) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def sample(name: str) -> Callable[[Engine, Photo], bytes]:
    return lambda _, photo: photo(name)


def nobody(_: Engine, __: Photo) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    return png(np.asarray(cv2.resize(noise, (600, 400), interpolation=cv2.INTER_CUBIC), np.uint8))


def shrunk(share: float) -> Callable[[Engine, Photo], bytes]:
    def make(_: Engine, photo: Photo) -> bytes:
        whole = decode(photo("astronaut")).pixels
        return png(np.asarray(cv2.resize(whole, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8))

    return make


def cut(engine: Engine, photo: Photo) -> bytes:
    face = engine.faces(photo("astronaut")).faces[0]
    pixels = decode(photo("astronaut")).pixels
    return png(np.ascontiguousarray(pixels[:, round(face.box.x + 0.35 * face.box.width) :]))


def masked(engine: Engine, photo: Photo) -> bytes:
    """The mask over mouth, cheeks and the tip of the nose, as it is worn."""
    face = engine.faces(photo("astronaut")).faces[0]
    pixels = decode(photo("astronaut")).pixels.copy()
    worn, cloth = _lower_face(face), decode(photo("mask")).pixels
    x, y, width, height = cv2.boundingRect(worn)
    shape = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillConvexPoly(shape, worn, 255, cv2.LINE_AA)
    laid = pixels.copy()
    laid[y : y + height, x : x + width] = cv2.resize(cloth, (width, height), interpolation=cv2.INTER_AREA)
    alpha = np.asarray(shape, np.float32)[..., None] / np.float32(255)
    return png(np.asarray(laid * alpha + pixels * (1 - alpha), np.uint8))


def _lower_face(face: Face) -> Floats:
    xy = face.landmarks[:, :2]
    below = [index for index in OVAL if xy[index, 1] > xy[NOSE_BRIDGE, 1]]
    hull = cv2.convexHull(np.round(np.concatenate([xy[below], xy[[NOSE_BRIDGE]]])).astype(np.int32))
    return np.asarray(hull)


ROWS = [
    Odd("nobody in it", nobody, 0, "face_not_found", "face_not_found"),
    Odd("a mask without a face", sample("mask"), 0, "face_not_found", "face_not_found"),
    Odd("six people, the largest face turned 23°", sample("group"), 6),
    Odd("turned 45°", sample("turned_man"), 1, "face_pose_unsupported"),
    Odd("a face of 29 px", shrunk(0.3), 1, "face_too_small", "face_too_small"),
    Odd("a face of 48 px", shrunk(0.5), 1),
    Odd("cut by the edge", cut, 1, "face_out_of_frame", "face_out_of_frame"),
    Odd("a mask over mouth and nose", masked, 1),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_as_many_faces_are_found_as_there_are(engine: Engine, photo: Photo, row: Odd) -> None:
    assert len(engine.faces(row.make(engine, photo)).faces) == row.faces


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_odd_face_is_taken_or_refused_by_its_code(engine: Engine, photo: Photo, row: Odd) -> None:
    odd, plain = row.make(engine, photo), photo("grace_hopper")
    assert (outcome(engine, odd, plain), outcome(engine, plain, odd)) == (row.as_source, row.as_target)


def outcome(engine: Engine, source: bytes, target: bytes) -> str:
    try:
        engine.fuse(source, target)
    except FaceError as error:
        return error.code
    return OK


def test_a_mask_that_the_target_wears_stays_where_it_is(engine: Engine, photo: Photo) -> None:
    worn = masked(engine, photo)
    fused, before = decode(engine.fuse(photo("grace_hopper"), worn).image).pixels, decode(worn).pixels
    middle = np.zeros(before.shape[:2], np.uint8)
    cv2.fillConvexPoly(middle, _lower_face(engine.faces(photo("astronaut")).faces[0]), 255)
    middle = np.asarray(cv2.erode(middle, np.ones((13, 13), np.uint8)), np.uint8)
    away = np.abs(np.asarray(fused, np.int16) - np.asarray(before, np.int16)).max(axis=2)[middle > 0]
    assert np.percentile(away, 90) <= 12
