from __future__ import annotations

from itertools import product

import cv2
import numpy as np
import pytest
from benchmarks.quality.ciede2000 import difference_of_lab
from benchmarks.quality.exposure import Person, fused, of_face
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.exposure import continued, exposed
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.steps.topology import CORE_SKIN, LOWER_FACE
from facefleet.engine.types import Face, Pixels, Portrait
from facefleet.errors.input import FaceOverexposed
from facefleet.options import FuseOptions

PAIRS = (("astronaut", "grace_hopper"), ("smiling_woman", "portrait_man"), ("turned_woman", "smiling_man"))
ORDINARY = ("astronaut", "grace_hopper", "portrait_man", "smiling_woman", "turned_man", "bearded_man")


def person(engine: Engine, photo: Photo, name: str) -> Person:
    return Person(decode(photo(name)).pixels, engine.faces(photo(name)).faces[0])


def over(one: Person, exposure: float) -> Person:
    """The same photo overexposed, the face where it was."""
    return Person(exposed(one.pixels, exposure), one.face)


def without_grain(pixels: Pixels) -> Pixels:
    """Clipping takes noise from the photo, so that the face in it gets less."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.5), np.uint8)


def prepared_source(one: Person) -> PreparedFace:
    return prepare(Portrait(one.pixels, one.face), replaced=False)


# Test data of Sharma, Wu and Dalal (2005), table 1.
@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_differences_of_colour_are_those_of_the_published_table(
    one: tuple[float, ...], other: tuple[float, ...], wanted: float
) -> None:
    assert difference_of_lab(np.array(one, float), np.array(other, float)) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("name", ORDINARY)
def test_a_photo_that_is_not_overexposed_is_taken_as_it_is(engine: Engine, photo: Photo, name: str) -> None:
    ready = prepared_source(person(engine, photo, name))
    assert ready.darker == 1
    assert ready.small is ready.below


@pytest.mark.parametrize(("pair", "exposure"), list(product(PAIRS, (1.4, 1.8, 2.2, 2.5))))
def test_an_overexposed_source_gives_almost_the_same_face(
    engine: Engine, photo: Photo, pair: tuple[str, str], exposure: float
) -> None:
    source, target = (person(engine, photo, name) for name in pair)
    away = of_face(fused(over(source, exposure), target), fused(source, target), target.face)
    assert np.quantile(away, 0.99) <= 12
    assert (away > 12).mean() <= 0.01


@pytest.mark.parametrize(("pair", "exposure"), list(product(PAIRS, (1.4, 1.8, 2.2))))
def test_a_face_in_an_overexposed_target_is_as_overexposed(
    engine: Engine, photo: Photo, pair: tuple[str, str], exposure: float
) -> None:
    source, target = (person(engine, photo, name) for name in pair)
    wanted = exposed(fused(source, target), exposure)
    away = of_face(without_grain(fused(source, over(target, exposure))), without_grain(wanted), target.face)
    assert np.quantile(away, 0.95) <= 12
    assert np.median(away) <= 4


def test_gloss_on_a_cheek_is_gone_from_the_source(engine: Engine, photo: Photo) -> None:
    source, target = person(engine, photo, "turned_man"), person(engine, photo, "smiling_woman")
    x, y = source.face.landmarks[50, :2]
    radius = 0.06 * source.face.box.width
    rows, columns = np.indices(source.pixels.shape[:2])
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))[..., None] * 260
    glossy = Person(np.clip(source.pixels + light, 0, 255).astype(np.uint8), source.face)
    cheeks = np.zeros(target.pixels.shape[:2], np.uint8)
    cv2.fillPoly(cheeks, [np.round(target.face.landmarks[list(CORE_SKIN), :2]).astype(np.int32)], 1)
    blue, _, red = np.moveaxis(fused(glossy, target)[cheeks > 0].astype(int), -1, 0)
    assert np.quantile(red - blue, 0.01) > 0  # a patch without colour would be as blue as red


def test_what_is_burnt_out_altogether_is_refused_by_name(engine: Engine, photo: Photo) -> None:
    white, plain = over(person(engine, photo, "turned_woman"), 4.5), photo("astronaut")
    for source, target, field in ((png(white.pixels), plain, "source"), (plain, png(white.pixels), "target")):
        with pytest.raises(FaceOverexposed, match=f"{field} photo is overexposed") as raised:
            engine.fuse(source, target)
        assert raised.value.detail["field"] == field
        assert "cheeks" in str(raised.value)
        assert not raised.value.retryable


def test_of_all_faces_one_that_is_burnt_out_is_left_as_it_is(engine: Engine, photo: Photo) -> None:
    white, plain = exposed(decode(photo("turned_woman")).pixels, 4.5), decode(photo("smiling_woman")).pixels
    both = np.hstack([white, plain])
    fusion = engine.fuse(photo("astronaut"), png(both), FuseOptions(target_face="all"))
    assert [one.code for one in fusion.skipped] == ["face_overexposed"]
    assert np.array_equal(decode(fusion.picture.image).pixels[:, : white.shape[1]], white)


def test_a_white_thing_before_a_face_stays_white(engine: Engine, photo: Photo) -> None:
    source = person(engine, photo, "smiling_woman")
    x, y = (round(float(v)) for v in source.face.landmarks[152, :2])
    half = round(0.3 * source.face.box.width)
    pixels = source.pixels.copy()
    cv2.rectangle(pixels, (x - half, y - 2 * half), (x + half, y + half), (255, 255, 255), -1)
    ready = prepared_source(Person(pixels, source.face))
    white = np.asarray(ready.below.min(axis=2) == 255)
    spread = np.ptp(ready.small[white].astype(int), axis=1)
    assert np.quantile(spread, 0.9) <= 2


def test_a_white_mask_does_not_turn_into_skin(engine: Engine, photo: Photo) -> None:
    source = person(engine, photo, "astronaut")
    pixels = source.pixels.copy()
    cv2.fillPoly(pixels, [_lower(source.face)], (255, 255, 255))
    pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 3), np.uint8)  # an edge as soft as that of light
    ready = prepared_source(Person(pixels, source.face))
    assert ready.occlusion.mask_worn
    assert ready.darker == 1


def test_a_hole_is_continued_from_its_rim() -> None:
    rows, columns = np.indices((61, 50)).astype(np.float32)
    values = np.stack([rows, columns], axis=2)
    weight = np.ones((61, 50), np.float32)
    weight[20:35, 15:30] = 0
    filled = continued(values * weight[..., None], weight)
    assert np.abs(filled - values)[weight > 0].max() < 1e-3
    assert np.abs(filled - values)[weight == 0].max() < 6


def _lower(face: Face) -> Pixels:
    return np.round(face.landmarks[list(LOWER_FACE), :2]).astype(np.int32)
