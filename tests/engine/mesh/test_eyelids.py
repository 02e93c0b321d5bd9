from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pytest
from benchmarks.quality.exposure import Person
from benchmarks.quality.eyes import PAINTS, found, scene
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.engine.build import IRIS
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.eyelids import Eyelids
from facefleet.engine.mesh.swapper import MeshSwapper
from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.steps.topology import LEFT_EYE, RIGHT_EYE
from facefleet.engine.types import Floats, ModelFiles, Pixels, Portrait

PEOPLE = ("smiling_woman", "portrait_man", "surprised_woman", "turned_woman", "smiling_man")
BOTH = (0, 1)


@pytest.fixture(scope="module")
def swapper(models: Mapping[str, ModelFiles]) -> MeshSwapper:
    return MeshSwapper(Eyelids(LiteRtSession(models[IRIS])))


def person(engine: Engine, photo: Photo, name: str) -> Person:
    return Person(decode(photo(name)).pixels, engine.faces(photo(name)).faces[0])


def drawn(one: Person, shut: tuple[int, ...], paint: tuple[int, int, int] | None = None, size: int = 30) -> Pixels:
    pixels = scene(one, paint, shut, size)
    assert pixels is not None
    return pixels


def of_eyes(one: Pixels, other: Pixels, landmarks: Floats) -> list[float]:
    """Mean difference between the lids of each eye, levels."""
    means = []
    for eye in (RIGHT_EYE, LEFT_EYE):
        mask = np.zeros(one.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(landmarks[list(eye), :2]).astype(np.int32)], 1)
        means.append(float(np.abs(one.astype(int) - other)[mask > 0].mean()))
    return means


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("paint", PAINTS)
def test_closed_eyes_are_told_from_open_ones_whatever_make_up_they_wear(
    engine: Engine, photo: Photo, swapper: MeshSwapper, name: str, paint: tuple[int, int, int] | None
) -> None:
    one = person(engine, photo, name)
    assert found(engine, swapper, drawn(one, BOTH, paint))
    assert not found(engine, swapper, drawn(one, (), paint))


@pytest.mark.parametrize("eye", BOTH)
@pytest.mark.parametrize("name", PEOPLE)
def test_a_wink_is_seen(engine: Engine, photo: Photo, swapper: MeshSwapper, name: str, eye: int) -> None:
    assert found(engine, swapper, drawn(person(engine, photo, name), (eye,)))


def test_no_eye_of_the_sample_photos_counts_as_closed(engine: Engine, photo: Photo, swapper: MeshSwapper) -> None:
    for name in ("astronaut", "friends", "grace_hopper", "group", *PEOPLE):
        pixels = decode(photo(name)).pixels
        for face in engine.faces(photo(name)).faces:
            assert not swapper.prepare_source(Portrait(pixels, face)).eyes_closed, (name, face.index)


@pytest.mark.parametrize("shut", [BOTH, (0,)])
def test_where_the_source_closes_an_eye_the_target_keeps_its_own(
    engine: Engine, photo: Photo, shut: tuple[int, ...]
) -> None:
    target = decode(photo("surprised_woman")).pixels
    fused = engine.fuse(png(drawn(person(engine, photo, "smiling_woman"), shut, size=55)), png(target))
    away = of_eyes(decode(fused.picture.image).pixels, target, fused.faces[0].landmarks)
    assert max(away) <= 2, "both: eyes of two people make no pair"
    assert not np.array_equal(decode(fused.picture.image).pixels, target)


def test_open_eyes_are_the_sources(engine: Engine, photo: Photo) -> None:
    target = decode(photo("surprised_woman")).pixels
    fused = engine.fuse(photo("smiling_woman"), png(target))
    assert min(of_eyes(decode(fused.picture.image).pixels, target, fused.faces[0].landmarks)) >= 8
