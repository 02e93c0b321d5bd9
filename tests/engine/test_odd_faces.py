"""Photos whose files are fine and whose faces are not what they should be: the outcome of each, as either photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.engine.conftest import Photo

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.prepared import prepare
from facefleet.engine.steps.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, OVAL, RIGHT_BROW, RIGHT_EYE
from facefleet.engine.types import Face, Floats, Pixels, Portrait
from facefleet.errors.input import FaceError

NOSE_BRIDGE, CHIN = 195, 152
OK = ""

Outline = npt.NDArray[np.int32]


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
    pixels, cloth = decode(photo("astronaut")).pixels, decode(photo("mask")).pixels
    worn = _lower_face(engine.faces(photo("astronaut")).faces[0])
    x, y, width, height = cv2.boundingRect(worn)
    laid = pixels.copy()
    laid[y : y + height, x : x + width] = cv2.resize(cloth, (width, height), interpolation=cv2.INTER_AREA)
    return png(_worn(pixels, laid, worn))


def masked_in(name: str, colour: tuple[int, int, int]) -> Callable[[Engine, Photo], bytes]:
    """A plain mask of that colour, BGR, in the light of the photo."""

    def make(engine: Engine, photo: Photo) -> bytes:
        pixels, face = decode(photo(name)).pixels, engine.faces(photo(name)).faces[0]
        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.float32)
        light = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.05 * face.box.width), np.float32)
        cloth = np.clip(np.array(colour) * (light / np.median(light))[..., None], 0, 255)
        return png(_worn(pixels, np.asarray(cloth, np.uint8), _lower_face(face)))

    return make


def _worn(pixels: Pixels, cloth: Pixels, outline: Outline) -> Pixels:
    shape = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillConvexPoly(shape, outline, 255, cv2.LINE_AA)
    alpha = np.asarray(shape, np.float32)[..., None] / np.float32(255)
    return np.asarray(cloth * alpha + pixels * (1 - alpha), np.uint8)


def _lower_face(face: Face) -> Outline:
    y = face.landmarks[:, 1]
    return _hull(face, (*(index for index in OVAL if y[index] > y[NOSE_BRIDGE]), NOSE_BRIDGE))


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


MASKS = [
    pytest.param("astronaut", masked, id="a printed mask"),
    pytest.param("smiling_woman", masked_in("smiling_woman", (225, 225, 225)), id="white"),
    pytest.param("portrait_man", masked_in("portrait_man", (215, 190, 140)), id="blue"),
    pytest.param("surprised_woman", masked_in("surprised_woman", (35, 32, 30)), id="black"),
    pytest.param("astronaut", masked_in("astronaut", (255, 255, 255)), id="white on pale skin"),
]


def changed(engine: Engine, source: bytes, target: bytes, outline: Outline) -> Floats:
    """Levels by which pixels of the target well inside an outline were changed, ``(N,)``."""
    fused, before = decode(engine.fuse(source, target).picture.image).pixels, decode(target).pixels
    inside = np.zeros(before.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, outline, 255)
    inside = np.asarray(cv2.erode(inside, np.ones((13, 13), np.uint8)), np.uint8)
    away = np.abs(np.asarray(fused, np.int16) - np.asarray(before, np.int16)).max(axis=2)
    return np.asarray(away[inside > 0], np.float32)


@pytest.mark.parametrize(("name", "make"), MASKS)
def test_a_mask_that_the_target_wears_stays_where_it_is(
    engine: Engine, photo: Photo, name: str, make: Callable[[Engine, Photo], bytes]
) -> None:
    face = engine.faces(photo(name)).faces[0]
    target = make(engine, photo)
    assert np.percentile(changed(engine, photo("smiling_man"), target, _lower_face(face)), 90) <= 12
    assert np.median(changed(engine, photo("smiling_man"), target, _eyes(face))) > 4  # what shows is fused


@pytest.mark.parametrize(("name", "make"), MASKS)
def test_of_a_masked_source_only_what_shows_is_taken(
    engine: Engine, photo: Photo, name: str, make: Callable[[Engine, Photo], bytes]
) -> None:
    target = photo("smiling_man")
    face = engine.faces(target).faces[0]
    lips = _hull(face, LIPS_OUTER)
    assert np.percentile(changed(engine, make(engine, photo), target, lips), 90) <= 6
    assert np.median(changed(engine, make(engine, photo), target, _eyes(face))) > 4


def test_the_edge_of_a_mask_is_no_bridge_of_glasses(engine: Engine, photo: Photo) -> None:
    worn = masked_in("astronaut", (200, 140, 90))(engine, photo)
    ready = prepare(Portrait(decode(worn).pixels, engine.faces(worn).faces[0]))
    assert ready.occlusion.mask_worn
    assert ready.glasses is None


def test_no_bare_face_is_taken_for_a_masked_one(engine: Engine, photo: Photo) -> None:
    for name in ("grace_hopper", "bearded_man", "turned_woman", "group", "friends"):
        pixels = decode(photo(name)).pixels
        for face in engine.faces(photo(name)).faces:
            ready = prepare(Portrait(pixels, face))
            assert not ready.occlusion.mask_worn, (name, face.index)
            assert ready.occlusion.mask[ready.parts.lips > 0].mean() < 0.1, (name, face.index)


def _eyes(face: Face) -> Outline:
    return _hull(face, RIGHT_EYE + LEFT_EYE + RIGHT_BROW + LEFT_BROW)


def _hull(face: Face, points: tuple[int, ...]) -> Outline:
    return np.asarray(cv2.convexHull(np.round(face.landmarks[list(points), :2]).astype(np.int32)), np.int32)
