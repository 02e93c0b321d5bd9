"""The built-in ager on real faces: monotone, local, deterministic, the same person."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import jpeg, png

from facefleet.engine.aging.ager import DetailAger
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh import masks
from facefleet.engine.steps.blend import blend
from facefleet.engine.steps.practice import practice_portrait
from facefleet.engine.types import Box, Face, Pixels, Portrait, Pose
from facefleet.errors.input import FaceIndexInvalid, FaceNotFound
from facefleet.options import AgeOptions, FuseOptions

AGES = (-1.0, -0.5, 0.0, 0.5, 1.0)
PEOPLE = ("astronaut", "grace_hopper", "portrait_man", "smiling_woman", "turned_man", "smiling_man", "bearded_man")


def portrait(engine: Engine, photo: bytes, brightness: float = 1.0) -> Portrait:
    return Portrait(np.asarray(decode(photo).pixels * brightness, np.uint8), engine.faces(photo).faces[0])


def scaled(whole: Portrait, width: float) -> Portrait:
    """The same portrait with a face of another width, px."""
    face, scale = whole.face, width / whole.face.box.width
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(whole.pixels, None, fx=scale, fy=scale, interpolation=way), np.uint8)
    landmarks = np.asarray(face.landmarks * scale, np.float32)
    box = Box(face.box.x * scale, face.box.y * scale, face.box.width * scale, face.box.height * scale)
    return Portrait(pixels, Face(face.index, box, face.score, face.pose, landmarks))


def aged(whole: Portrait, amount: float) -> Pixels:
    canvas = whole.pixels.copy()
    if amount:
        blend(canvas, DetailAger().age(Portrait(canvas, whole.face), amount), 1.0)
    return canvas


def skin(pixels: Pixels, face: Face) -> np.ndarray:
    parts = masks.parts_of(face.landmarks, (pixels.shape[1], pixels.shape[0]))
    return np.asarray((parts.inner > 0) & (parts.features == 0))


def detail(pixels: Pixels, face: Face, fine: float = 0.008, coarse: float = 0.03) -> float:
    """Spread of the lightness between two scales (face widths), on skin: lines and spots without form and grain."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    band = cv2.GaussianBlur(grey, (0, 0), max(0.5, fine * face.box.width)) - cv2.GaussianBlur(
        grey, (0, 0), coarse * face.box.width
    )
    return float(band[skin(pixels, face)].std())


@pytest.mark.parametrize("brightness", [1.0, 0.35])
@pytest.mark.parametrize("name", PEOPLE)
def test_the_skins_detail_rises_with_the_age(engine: Engine, photo: Photo, name: str, brightness: float) -> None:
    whole = portrait(engine, photo(name), brightness)
    found = [detail(aged(whole, age), whole.face) for age in AGES]
    assert found == sorted(found)
    assert found[0] < 0.97 * found[2]
    assert found[-1] > 1.03 * found[2]


@pytest.mark.parametrize("age", [-1.0, 1.0])
@pytest.mark.parametrize("name", PEOPLE)
def test_the_oldest_and_the_youngest_face_keeps_its_features_in_place(
    engine: Engine, photo: Photo, name: str, age: float
) -> None:
    whole = portrait(engine, photo(name))
    after = min(
        (face.landmarks[:, :2] for face in engine.faces(png(aged(whole, age))).faces),
        key=lambda points: float(np.abs(points - whole.face.landmarks[:, :2]).mean()),
    )
    eyes = float(np.linalg.norm(whole.face.landmarks5[0] - whole.face.landmarks5[1]))
    assert float(np.linalg.norm(after - whole.face.landmarks[:, :2], axis=1).mean()) < 0.06 * eyes


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper", "smiling_woman"])
def test_a_younger_skin_keeps_its_grain(engine: Engine, photo: Photo, name: str) -> None:
    whole = scaled(portrait(engine, photo(name)), 280)
    before, after = (detail(aged(whole, age), whole.face, 0.0, 0.0036) for age in (0.0, -1.0))
    assert after > 0.8 * before


@pytest.mark.parametrize("width", [34, 60, 150, 520])
@pytest.mark.parametrize("age", [-1.0, 1.0])
def test_a_face_of_any_size_is_changed_a_little(engine: Engine, photo: Photo, width: float, age: float) -> None:
    whole = scaled(portrait(engine, photo("smiling_woman")), width)
    change = np.abs(aged(whole, age).astype(int) - whole.pixels)[skin(whole.pixels, whole.face)]
    assert 0.4 < change.mean() < 9


@pytest.mark.parametrize("age", AGES[:2] + AGES[3:])
def test_pixels_away_from_the_head_stay(engine: Engine, photo: Photo, age: float) -> None:
    whole = portrait(engine, photo("group"))
    before, after, box = whole.pixels, aged(whole, age), whole.face.box
    grow = 0.7 * max(box.width, box.height)
    away = np.ones(before.shape[:2], np.bool_)
    away[
        max(0, int(box.y - grow)) : int(box.y + box.height + grow),
        max(0, int(box.x - grow)) : int(box.x + box.width + grow),
    ] = False
    assert np.array_equal(before[away], after[away])
    assert not np.array_equal(before, after)


def test_a_face_at_the_edge_of_its_photo_is_aged(engine: Engine, photo: Photo) -> None:
    whole = portrait(engine, photo("smiling_woman"))
    box = whole.face.box
    top, left = int(box.y) + 4, int(box.x) + 4
    landmarks = whole.face.landmarks - np.array([left, top, 0], np.float32)
    cut = Portrait(
        np.ascontiguousarray(whole.pixels[top : int(box.y + box.height) - 4, left : int(box.x + box.width) - 4]),
        Face(0, Box(-4, -4, box.width, box.height), 1.0, Pose(0, 0, 0), landmarks),
    )
    for age in (-1.0, 1.0):
        assert not np.array_equal(aged(cut, age), cut.pixels)


@pytest.mark.parametrize("level", [0, 1, 127, 255])
@pytest.mark.parametrize("age", [-1.0, 1.0])
def test_a_photo_of_one_colour_is_hardly_changed(level: int, age: float) -> None:
    practice = practice_portrait()
    blank = Portrait(np.full_like(practice.pixels, level), practice.face)
    assert np.abs(aged(blank, age).astype(int) - level).max() <= 40


@pytest.mark.parametrize("age", [-1.0, 1.0])
def test_a_grey_photo_stays_grey(engine: Engine, photo: Photo, age: float) -> None:
    whole = portrait(engine, photo("smiling_man"))
    grey = cv2.cvtColor(cv2.cvtColor(whole.pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    after = aged(Portrait(np.asarray(grey, np.uint8), whole.face), age)
    assert np.ptp(after.astype(int), axis=2).max() <= 3


def test_threads_get_the_same_pixels(engine: Engine, photo: Photo) -> None:
    portraits = [portrait(engine, photo(name)) for name in ("astronaut", "smiling_man")] * 4
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda whole: aged(whole, 0.7), portraits))
    alone = [aged(whole, 0.7) for whole in portraits[:2]]
    assert all(np.array_equal(pixels, alone[index % 2]) for index, pixels in enumerate(together))


def test_a_fusion_without_an_age_is_the_same_and_has_no_such_step(engine: Engine, photo: Photo) -> None:
    plain = engine.fuse(photo("astronaut"), photo("smiling_man"))
    zero = engine.fuse(photo("astronaut"), photo("smiling_man"), FuseOptions(age=0.0))
    assert zero.picture.image == plain.picture.image
    assert "age" not in zero.timings_ms


def test_the_fused_face_is_aged_where_it_is(engine: Engine, photo: Photo) -> None:
    target = png(decode(photo("smiling_man")).pixels)
    young, plain, old = (
        engine.fuse(photo("grace_hopper"), target, FuseOptions(age=age, shape=1.0)) for age in (-1.0, 0.0, 1.0)
    )
    assert old.timings_ms["age"] > 0
    face = engine.faces(plain.picture.image).faces[0]
    found = [detail(decode(fusion.picture.image).pixels, face) for fusion in (young, plain, old)]
    assert found == sorted(found)


def test_every_fused_face_is_aged(engine: Engine, photo: Photo) -> None:
    target = png(decode(photo("friends")).pixels)
    plain, old = (
        engine.fuse(photo("astronaut"), target, FuseOptions(target_face="all", age=age)) for age in (0.0, 1.0)
    )
    changed = np.any(decode(plain.picture.image).pixels != decode(old.picture.image).pixels, axis=2)
    assert all(changed[skin(changed, face)].mean() > 0.5 for face in old.faces)


def test_one_face_of_a_photo_is_aged_without_a_fusion(engine: Engine, photo: Photo) -> None:
    image = jpeg(decode(photo("group")).pixels)
    fusion = engine.age(image, AgeOptions(age=0.8, target_face=2))
    assert [face.index for face in fusion.faces] == [2]
    assert set(fusion.timings_ms) == {"decode", "detect", "landmarks", "age", "encode"}
    assert fusion.models == engine.versions


def test_an_age_of_none_returns_the_photos_pixels(engine: Engine, photo: Photo) -> None:
    image = png(decode(photo("astronaut")).pixels)
    assert np.array_equal(decode(engine.age(image, AgeOptions()).picture.image).pixels, decode(image).pixels)


def test_a_photo_without_the_face_is_refused(engine: Engine, photo: Photo) -> None:
    with pytest.raises(FaceIndexInvalid):
        engine.age(photo("astronaut"), AgeOptions(age=1.0, target_face=4))
    with pytest.raises(FaceNotFound):
        engine.age(png(np.full((200, 200, 3), 90, np.uint8)), AgeOptions(age=1.0))
