"""Faces turned in the plane, faces of few pixels, and the order in which faces are numbered."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import jpeg, png

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.types import Face, Faces, Pixels
from facefleet.errors.input import FaceNotFound
from facefleet.options import FuseOptions

SAMPLES = ("astronaut", "grace_hopper", "portrait_man", "smiling_woman", "turned_woman", "smiling_man", "friends")


def turned(pixels: Pixels, degrees: float) -> tuple[Pixels, np.ndarray]:
    """The photo turned clockwise on a canvas that holds all of it, and the affine that did it."""
    height, width = pixels.shape[:2]
    affine = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    cos, sin = abs(affine[0, 0]), abs(affine[0, 1])
    size = round(width * cos + height * sin), round(width * sin + height * cos)
    affine[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return np.asarray(cv2.warpAffine(pixels, affine, size, borderMode=cv2.BORDER_REPLICATE), np.uint8), affine


def moved(face: Face, affine: np.ndarray) -> np.ndarray:
    return np.asarray(face.landmarks5 @ affine[:, :2].T + affine[:, 2])


def near(face: Face, points: np.ndarray, tolerance: float) -> bool:
    return bool(np.abs(face.landmarks5 - points).max() < tolerance * face.box.short_side)


@pytest.mark.parametrize("degrees", [-45, -30, -15, 15, 30, 45])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_face_turned_in_the_plane_is_where_it_was(engine: Engine, photo: Photo, name: str, degrees: float) -> None:
    pixels = decode(photo(name)).pixels
    upright = engine.faces(png(pixels)).faces[0]
    picture, affine = turned(pixels, degrees)
    found = engine.faces(png(picture)).faces
    (same,) = [face for face in found if near(face, moved(upright, affine), 0.1)]
    assert same.pose.roll == pytest.approx(upright.pose.roll + degrees, abs=6)
    assert same.pose.yaw == pytest.approx(upright.pose.yaw, abs=8)


def shrunk(pixels: Pixels, face: Face, size: float) -> tuple[Pixels, float]:
    scale = size / face.box.short_side
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8), scale


@pytest.mark.parametrize("size", [36, 42, 50, 60])
@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "friends"])
def test_a_face_of_few_pixels_is_found_and_fused(engine: Engine, photo: Photo, name: str, size: int) -> None:
    pixels = decode(photo(name)).pixels
    own = engine.faces(png(pixels)).faces[0]
    small, scale = shrunk(pixels, own, size)
    canvas = np.full((480, 640, 3), 110, np.uint8)
    canvas[60 : 60 + small.shape[0], 80 : 80 + small.shape[1]] = small[:420, :560]
    fused = engine.fuse(photo("astronaut"), png(canvas))
    points = (own.landmarks5 + 0.5) * scale - 0.5 + (80, 60)
    assert near(fused.faces[0], points, 0.08)


def test_a_small_face_beside_a_large_one_is_found_on_request(engine: Engine, photo: Photo, astronaut: Pixels) -> None:
    canvas = np.full((1800, 2400, 3), 100, np.uint8)
    large = decode(photo("smiling_man")).pixels
    canvas[100 : 100 + large.shape[0], 100 : 100 + large.shape[1]] = large
    small = np.asarray(cv2.resize(astronaut, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    canvas[1400 : 1400 + small.shape[0], 1900 : 1900 + small.shape[1]] = small
    assert len(engine.faces(png(canvas)).faces) == 1
    found = engine.faces(png(canvas), tiles=True).faces
    assert len(found) == 2
    fused = engine.fuse(photo("grace_hopper"), png(canvas), FuseOptions(target_face=1, tiles=True))
    assert np.allclose(fused.faces[0].landmarks5, found[1].landmarks5, atol=0.5)


@pytest.mark.parametrize("name", ["group", "friends", "astronaut"])
def test_tiles_find_no_face_twice_and_none_that_is_not_there(engine: Engine, photo: Photo, name: str) -> None:
    assert len(engine.faces(photo(name), tiles=True).faces) == len(engine.faces(photo(name)).faces)


@pytest.mark.parametrize(
    "degrees", [135, 180, *(pytest.param(degrees, marks=pytest.mark.fuzz) for degrees in (90, 255))]
)
def test_the_people_of_a_turned_group_are_found(engine: Engine, photo: Photo, degrees: int) -> None:
    upright = engine.faces(photo("group")).faces
    picture, affine = turned(decode(photo("group")).pixels, degrees)
    for tiles, least in ((False, 5), (True, 6)):
        found = engine.faces(png(picture), tiles=tiles).faces
        there = [face for face in found if any(near(face, moved(one, affine), 0.2) for one in upright)]
        assert len(there) >= least
        assert there == list(found), "nobody is found who is not there"


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), pytest.param(9000, 1800, marks=pytest.mark.fuzz)])
def test_faces_of_few_pixels_are_found_in_a_large_photo_on_request(
    engine: Engine, photo: Photo, width: int, height: int
) -> None:
    canvas, places = np.full((height, width, 3), 110, np.uint8), []
    for number, (size, degrees) in enumerate([(36, 0), (36, 180), (50, 90), (120, 20)]):
        pixels = decode(photo("smiling_woman")).pixels
        face = engine.faces(png(pixels)).faces[0]
        small, _ = shrunk(pixels, face, size)
        person, _ = turned(small, degrees)
        x, y = (number + 1) * width // 6, height // (number + 2)
        canvas[y : y + person.shape[0], x : x + person.shape[1]] = person
        places.append((x, y, person.shape[1], person.shape[0]))
    found = engine.faces(png(canvas), tiles=True).faces
    assert len(found) == len(places)
    for x, y, across, down in places:
        assert any(x < face.box.x < x + across and y < face.box.y < y + down for face in found)


def test_where_nobody_looked_for_small_faces_the_refusal_names_the_option(engine: Engine, photo: Photo) -> None:
    nobody = png(np.full((2000, 3000, 3), 110, np.uint8))
    with pytest.raises(FaceNotFound, match=r"under 57 px .* option tiles"):
        engine.fuse(photo("astronaut"), nobody)
    with pytest.raises(FaceNotFound) as caught:
        engine.fuse(photo("astronaut"), nobody, FuseOptions(tiles=True))
    assert "tiles" not in str(caught.value)


def spoilt(pixels: Pixels) -> dict[str, bytes]:
    noise = np.random.default_rng(7).integers(-8, 9, pixels.shape)
    return {
        "compressed": jpeg(pixels, 60),
        "noisy": png(np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)),
        "smaller": jpeg(np.asarray(cv2.resize(pixels, None, fx=0.97, fy=0.97, interpolation=cv2.INTER_AREA), np.uint8)),
        "larger": jpeg(np.asarray(cv2.resize(pixels, None, fx=1.2, fy=1.2, interpolation=cv2.INTER_CUBIC), np.uint8)),
    }


@pytest.mark.parametrize("name", ["group", "friends"])
def test_faces_keep_their_numbers_in_another_compression_of_the_photo(engine: Engine, photo: Photo, name: str) -> None:
    pixels = decode(photo(name)).pixels
    before = engine.faces(png(pixels))
    for how, image in spoilt(pixels).items():
        assert same_people(before, engine.faces(image)), how


def same_people(before: Faces, after: Faces) -> bool:
    places = [[face.landmarks5.mean(axis=0) / found.width for face in found.faces] for found in (before, after)]
    return len(places[0]) == len(places[1]) and bool(np.allclose(places[0], places[1], atol=0.02))


@pytest.mark.parametrize("name", ["friends", "grace_hopper", "turned_man", "portrait_man"])
def test_a_large_photo_at_reduced_size_gives_the_faces_of_its_full_size(
    engine: Engine, photo: Photo, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = decode(photo(name)).pixels
    scale = 4100 / max(pixels.shape[:2])
    large = jpeg(np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8), 80)
    reduced = engine.faces(large)
    monkeypatch.setattr("facefleet.engine.photos.decode_reduced", lambda *_: None)
    full = engine.faces(large)
    assert (reduced.width, reduced.height) == (full.width, full.height)
    assert same_people(full, reduced)
    for one, other in zip(reduced.faces, full.faces, strict=True):
        error = np.linalg.norm(one.landmarks[:, :2] - other.landmarks[:, :2], axis=1).mean()
        assert error < 0.02 * other.box.width
