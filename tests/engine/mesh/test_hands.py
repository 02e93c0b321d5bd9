"""Hands before a face: kept on a target, not taken along from a source, not seen before bare faces."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.engine.build import HAND, PALM, build_hands
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.hands import GLANCE_SIDE, Hand, Hands, drawn
from facefleet.engine.mesh.prepared import prepare
from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.models.session import Tensor
from facefleet.engine.steps.topology import LEFT_BROW, OVAL, RIGHT_BROW
from facefleet.engine.types import Face, Floats, ModelFiles, Pixels, Portrait

BARE = ("astronaut", "grace_hopper", "portrait_man", "smiling_woman", "surprised_woman", "turned_woman", "smiling_man")


@pytest.fixture(scope="module")
def hands(models: Mapping[str, ModelFiles]) -> Hands:
    return build_hands(models)


@pytest.fixture(scope="module")
def forehead(engine: Engine, photo: Photo) -> Portrait:
    """A man whose hand lies over his forehead and one brow."""
    return Portrait(decode(photo("bearded_man")).pixels, engine.faces(photo("bearded_man")).faces[0])


def oval_of(face: Face) -> Floats:
    return np.asarray(face.landmarks[list(OVAL), :2], np.float32)


def filled(loop: Floats, shape: tuple[int, ...]) -> np.ndarray:
    mask: Pixels = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [cv2.convexHull(np.round(loop).astype(np.int32))], 1)
    return np.asarray(mask > 0)


def test_a_hand_is_found_where_it_is_whichever_way_the_photo_is_turned(hands: Hands, forehead: Portrait) -> None:
    (upright,) = hands.find(forehead.pixels, forehead.face.landmarks[:, :2])
    assert upright.presence > 0.9
    width = forehead.pixels.shape[1]
    turned = np.stack([forehead.face.landmarks[:, 1], width - 1 - forehead.face.landmarks[:, 0]], axis=1)
    (sideways,) = hands.find(np.ascontiguousarray(np.rot90(forehead.pixels)), turned)
    again = np.stack([width - 1 - sideways.joints[:, 1], sideways.joints[:, 0]], axis=1)
    assert np.abs(again - upright.joints).max() < 0.1 * forehead.face.box.width


def test_a_hand_before_a_target_stays(engine: Engine, photo: Photo, hands: Hands, forehead: Portrait) -> None:
    (hand,) = hands.find(forehead.pixels, forehead.face.landmarks[:, :2])
    result = decode(engine.fuse(photo("smiling_man"), png(forehead.pixels)).picture.image).pixels
    change = cv2.absdiff(result, forehead.pixels).max(axis=2)
    size = forehead.pixels.shape[1], forehead.pixels.shape[0]
    face = filled(oval_of(forehead.face), change.shape)
    there = (drawn(hand.joints, oval_of(forehead.face), size) > 0) & face
    assert there.sum() > 0.05 * face.sum()
    assert np.mean(change[there] <= 8) > 0.95
    assert np.mean(change[face & ~there] > 8) > 0.3  # the rest of the face is fused


def test_a_hand_before_a_source_is_not_taken_along_and_the_target_keeps_its_brows(
    engine: Engine, photo: Photo, forehead: Portrait
) -> None:
    for name in ("astronaut", "portrait_man"):
        target = decode(photo(name)).pixels
        face = engine.faces(photo(name)).faces[0]
        result = decode(engine.fuse(png(forehead.pixels), png(target)).picture.image).pixels
        change = cv2.absdiff(result, target).max(axis=2)
        for brow in (RIGHT_BROW, LEFT_BROW):
            assert np.mean(change[filled(face.landmarks[list(brow), :2], change.shape)] <= 16) > 0.9, name


def test_what_a_hand_hides_is_told_from_what_people_wear(hands: Hands, forehead: Portrait) -> None:
    for replaced in (False, True):
        covered = prepare(forehead, replaced=replaced, hands=hands).covered
        assert covered is not None
        assert covered.by_hand
        assert not covered.maybe_frame
        assert not covered.refused


@pytest.mark.parametrize("name", BARE)
def test_no_hand_is_seen_before_a_bare_face(hands: Hands, engine: Engine, photo: Photo, name: str) -> None:
    pixels, face = decode(photo(name)).pixels, engine.faces(photo(name)).faces[0]
    assert hands.find(pixels, face.landmarks[:, :2]) == []


@pytest.mark.parametrize(("name", "count"), [("friends", 5), ("group", 6)])
def test_hands_beside_faces_are_not_before_them(
    hands: Hands, engine: Engine, photo: Photo, name: str, count: int
) -> None:
    pixels, found = decode(photo(name)).pixels, engine.faces(photo(name)).faces
    assert len(found) == count
    assert [hands.find(pixels, face.landmarks[:, :2]) for face in found] == [[]] * count


def test_a_hand_reaches_into_a_face_by_two_joints(forehead: Portrait) -> None:
    oval = oval_of(forehead.face)
    outside = np.tile(oval.min(axis=0) - 50, (21, 1)).astype(np.float32)
    assert not Hand(outside, 1.0).reaches(oval)
    outside[8] = oval.mean(axis=0)
    assert not Hand(outside, 1.0).reaches(oval)
    outside[7] = oval.mean(axis=0)
    assert Hand(outside, 1.0).reaches(oval)


def test_the_arm_is_drawn_only_from_a_wrist_before_the_face() -> None:
    joints = np.array([[100, 100 - 4 * number] for number in range(21)], np.float32)
    square = np.array([[20, 20], [180, 20], [180, 180], [20, 180]], np.float32)
    inside = drawn(joints, square, (200, 200))
    beside = drawn(joints, square - np.array([0, 110], np.float32), (200, 200))
    assert inside[150, 100] == 255
    assert beside[150, 100] == 0
    assert beside[60, 100] == 255


def test_the_detector_runs_at_its_full_input_only_where_half_of_it_hints_at_a_hand(
    models: Mapping[str, ModelFiles], engine: Engine, photo: Photo, forehead: Portrait
) -> None:
    class Counting(LiteRtSession):
        runs = 0

        def run(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            self.runs += 1
            return super().run(batch)

    palms = Counting(models[PALM])
    glance, joints = LiteRtSession(models[PALM], side=GLANCE_SIDE), LiteRtSession(models[HAND])
    hands = Hands(glance, palms, joints)
    for name in BARE:
        hands.find(decode(photo(name)).pixels, engine.faces(photo(name)).faces[0].landmarks[:, :2])
    assert palms.runs == 0
    assert len(hands.find(forehead.pixels, forehead.face.landmarks[:, :2])) == 1
    assert palms.runs == 1


def test_hands_are_not_searched_for_where_nothing_is_suspected(engine: Engine, photo: Photo) -> None:
    class Counting(Hands):
        def __init__(self) -> None:
            self.asked = 0

        def find(self, image: Pixels, points: Floats) -> list[Hand]:
            self.asked += 1
            return []

    asked = {}
    for name in (*BARE, "bearded_man"):
        counting = Counting()
        prepare(Portrait(decode(photo(name)).pixels, engine.faces(photo(name)).faces[0]), hands=counting)
        asked[name] = counting.asked
    assert asked["bearded_man"] == 1
    assert sum(asked.values()) <= len(asked) // 2
