"""Things before a face: what they hide stays the target's, and is not taken from a source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.covered import Feature
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.steps.topology import LIPS_OUTER, NOSE_TIP, OVAL, RIGHT_EYE
from facefleet.engine.types import Face, Floats, Pixels, Portrait
from facefleet.errors.input import FaceOccluded
from facefleet.options import FuseOptions

Thing = Callable[[Pixels, Face], None]
FREE = ("astronaut", "grace_hopper", "portrait_man")


def middle(face: Face, points: tuple[int, ...]) -> tuple[int, int]:
    x, y = face.landmarks[list(points), :2].mean(axis=0)
    return round(float(x)), round(float(y))


def microphone(mask: Pixels, face: Face) -> None:
    (x, y), size = middle(face, LIPS_OUTER), face.box.width
    cv2.circle(mask, (x, y + round(0.08 * size)), round(0.2 * size), 255, -1)
    cv2.line(mask, (x, y), (x + round(0.2 * size), y + round(0.9 * size)), 255, round(0.16 * size))


def cup(mask: Pixels, face: Face) -> None:
    (x, y), size = middle(face, LIPS_OUTER), face.box.width
    half = round(0.28 * size)
    cv2.rectangle(mask, (x - half, y - round(0.12 * size)), (x + half, y + round(0.7 * size)), 255, -1)


def eye_patch(mask: Pixels, face: Face) -> None:
    (x, y), size = middle(face, RIGHT_EYE), face.box.width
    cv2.ellipse(mask, (x, y), (round(0.17 * size), round(0.14 * size)), 0, 0, 360, 255, -1)


def red_nose(mask: Pixels, face: Face) -> None:
    cv2.circle(mask, middle(face, NOSE_TIP), round(0.15 * face.box.width), 255, -1)


THINGS = {
    "microphone": (microphone, (45, 45, 48), Feature.MOUTH),
    "cup": (cup, (70, 110, 40), Feature.MOUTH),
    "eye patch": (eye_patch, (25, 25, 25), Feature.RIGHT_EYE),
    "red nose": (red_nose, (40, 30, 200), Feature.NOSE),
}


def before(pixels: Pixels, face: Face, thing: Thing, colour: tuple[int, int, int]) -> tuple[Pixels, Floats]:
    """The photo with the thing, and the thing's share of each pixel."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    thing(mask, face)
    share = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.8), np.float32) / 255
    light = np.linspace(1.15, 0.75, pixels.shape[1])[None, :, None]  # from one side
    body = np.array(colour) * light * np.ones((pixels.shape[0], 1, 1))
    body += np.random.default_rng(3).normal(0, 3, body.shape)
    mixed = pixels * (1 - share[..., None]) + np.clip(body, 0, 255) * share[..., None]
    return np.asarray(mixed, np.uint8), np.asarray(share, np.float32)


def inside(face: Face, shape: tuple[int, ...], loop: tuple[int, ...] = OVAL) -> np.ndarray:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(face.landmarks[list(loop), :2]).astype(np.int32)], 1)
    return mask > 0


def ready(engine: Engine, pixels: Pixels, *, replaced: bool) -> PreparedFace:
    return prepare(Portrait(pixels, engine.faces(png(pixels)).faces[0]), replaced=replaced)


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("what", THINGS)
def test_what_lies_before_a_target_stays(engine: Engine, photo: Photo, what: str, name: str) -> None:
    thing, colour, _ = THINGS[what]
    pixels = decode(photo(name)).pixels
    face = engine.faces(photo(name)).faces[0]
    target, share = before(pixels, face, thing, colour)
    result = decode(engine.fuse(photo("smiling_man"), png(target)).picture.image).pixels
    change = cv2.absdiff(result, target).max(axis=2)
    there = (share > 0.9) & inside(face, pixels.shape)
    assert np.mean(change[there] <= 8) > 0.95
    assert np.mean(change[inside(face, pixels.shape) & (share == 0)] > 8) > 0.2  # the rest of the face is fused


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("what", THINGS)
def test_what_lies_before_a_source_is_not_taken_along(engine: Engine, photo: Photo, what: str, name: str) -> None:
    thing, colour, feature = THINGS[what]
    pixels = decode(photo(name)).pixels
    source, _ = before(pixels, engine.faces(photo(name)).faces[0], thing, colour)
    things = ready(engine, source, replaced=False).covered
    assert things is not None
    assert feature in things.hidden
    target = photo("smiling_woman")
    face = engine.faces(target).faces[0]
    unchanged = decode(target).pixels
    result = decode(engine.fuse(png(source), target).picture.image).pixels
    loop = {Feature.MOUTH: LIPS_OUTER, Feature.RIGHT_EYE: RIGHT_EYE, Feature.NOSE: NOSE_TIP}[feature]
    there = inside(face, unchanged.shape, loop)
    assert np.mean(cv2.absdiff(result, unchanged).max(axis=2)[there] <= 12) > 0.9


def test_a_face_of_which_too_little_shows_is_refused_and_the_refusal_says_what_is_hidden(
    engine: Engine, photo: Photo
) -> None:
    pixels = decode(photo("astronaut")).pixels
    face = engine.faces(photo("astronaut")).faces[0]
    for thing, colour, _ in THINGS.values():
        pixels, _ = before(pixels, face, thing, colour)
    bad = png(pixels)
    for source, target, field in ((bad, photo("smiling_man"), "source"), (photo("smiling_man"), bad, "target")):
        with pytest.raises(FaceOccluded) as caught:
            engine.fuse(source, target)
        assert caught.value.code == "face_occluded"
        assert caught.value.detail["field"] == field
        assert {"mouth", "nose"} <= set(_parts(caught.value))
        assert f"{field} photo" in str(caught.value)


def test_of_all_faces_a_hidden_one_is_left_and_named(engine: Engine, photo: Photo) -> None:
    single, hidden = decode(photo("smiling_man")).pixels, decode(photo("smiling_man")).pixels
    face = engine.faces(photo("smiling_man")).faces[0]
    for thing, colour, _ in THINGS.values():
        hidden, _ = before(hidden, face, thing, colour)
    both = np.hstack([single, hidden])
    fused = engine.fuse(photo("astronaut"), png(both), FuseOptions(target_face="all"))
    assert len(fused.faces) == 1
    assert [one.code for one in fused.skipped] == ["face_occluded"]


def test_nothing_lies_before_a_bare_face(engine: Engine, photo: Photo) -> None:
    for name in (
        "astronaut",
        "grace_hopper",
        "portrait_man",
        "smiling_man",
        "smiling_woman",
        "surprised_woman",
        "turned_woman",
    ):
        pixels = decode(photo(name)).pixels
        for replaced in (False, True):
            things = ready(engine, pixels, replaced=replaced).covered
            assert things is None or not things.hidden, (name, replaced)


@pytest.mark.parametrize(("name", "index"), [("turned_man", 0), ("group", 2), ("group", 3)])
def test_what_is_behind_a_turned_head_is_no_thing_whatever_a_few_degrees_say(
    engine: Engine, photo: Photo, name: str, index: int
) -> None:
    pixels, face = decode(photo(name)).pixels, engine.faces(photo(name)).faces[index]
    for away in (-6, -3, 0, 3, 6):
        turned = replace(face, pose=replace(face.pose, yaw=face.pose.yaw - away))
        for replaced in (False, True):
            assert prepare(Portrait(pixels, turned), replaced=replaced).covered is None


@pytest.mark.parametrize("what", ["microphone", "eye patch", "red nose"])
def test_what_lies_before_a_face_turned_by_33_degrees_is_found(engine: Engine, photo: Photo, what: str) -> None:
    pixels, face = decode(photo("group")).pixels, engine.faces(photo("group")).faces[3]
    thing, colour, feature = THINGS[what]
    hidden, _ = before(pixels, face, thing, colour)
    for replaced in (False, True):
        things = prepare(Portrait(hidden, face), replaced=replaced).covered
        assert things is not None
        assert feature in things.hidden


def _parts(error: FaceOccluded) -> list[str]:
    parts = error.detail["parts"]
    assert isinstance(parts, list)
    return parts
