"""What a face can be used for, and whether a fusion decides the same."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from facefleet.engine.photo_role import IMAGE
from facefleet.engine.steps import gate
from facefleet.engine.steps.gate import Fitness, choose_source, choose_targets, fitness
from facefleet.engine.types import Box, Face, Faces, Pose
from facefleet.errors.input import FaceError, FaceIndexInvalid, FaceNotFound, FaceOutOfFrame, FacePoseUnsupported

SIDE = 200  # px of the photo
BOTH = Fitness(source=True, target=True, reasons=())


def a_face(yaw: float = 0.0, size: float = 80.0, x: float = 40.0, index: int = 0) -> Face:
    """Its landmarks fill the box evenly."""
    across = np.linspace(x, x + size, 468)
    landmarks = np.stack([across, np.full(468, 100.0), np.zeros(468)], axis=1).astype(np.float32)
    return Face(index, Box(x, 60, size, size), 1.0, Pose(yaw, 0, 0), landmarks)


def photo_of(*faces: Face) -> Faces:
    return Faces(SIDE, SIDE, tuple(replace(face, index=index) for index, face in enumerate(faces)))


def fit(face: Face) -> Fitness:
    photo = photo_of(face)
    return fitness(photo.faces[0], photo)


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        (a_face(), BOTH),
        (a_face(yaw=gate.MAX_SOURCE_YAW), BOTH),
        (a_face(yaw=-gate.MAX_SOURCE_YAW - 0.1), Fitness(False, True, ("face_pose_unsupported",))),
        (a_face(yaw=gate.MAX_TARGET_YAW), Fitness(False, True, ("face_pose_unsupported",))),
        (a_face(yaw=-gate.MAX_TARGET_YAW - 0.1), Fitness(False, False, ("face_pose_unsupported",))),
        (a_face(size=gate.MIN_FACE_PX), BOTH),
        (a_face(size=gate.MIN_FACE_PX - 0.1), Fitness(False, False, ("face_too_small",))),
        (a_face(x=-0.11 * 80), BOTH),
        (a_face(x=-0.13 * 80), Fitness(False, False, ("face_out_of_frame",))),
        (a_face(x=SIDE - 0.87 * 80), Fitness(False, False, ("face_out_of_frame",))),
        (a_face(size=20, x=-10, yaw=60),
         Fitness(False, False, ("face_too_small", "face_out_of_frame", "face_pose_unsupported"))),
    ],
)  # fmt: skip
def test_a_face_is_fit_for_what_a_fusion_takes_it_for(face: Face, expected: Fitness) -> None:
    assert fit(face) == expected
    photo = photo_of(face)
    for usable, choose in ((expected.source, choose_source), (expected.target, choose_targets)):
        if usable:
            choose(photo, 0)
        else:
            with pytest.raises(FaceError) as caught:
                choose(photo, 0)
            assert caught.value.code == expected.reasons[0], "the gravest comes first"


def test_all_targets_are_those_that_are_fit_and_none_is_the_largest_ones_error() -> None:
    turned, good, cut = a_face(yaw=60), a_face(), a_face(x=-40)
    assert [face.index for face in choose_targets(photo_of(turned, good, cut), "all")] == [1]
    with pytest.raises(FaceOutOfFrame):
        choose_targets(photo_of(cut, turned), "all")


def test_without_an_index_the_largest_is_meant_be_it_fit_or_not() -> None:
    assert choose_source(photo_of(a_face(), a_face(size=60)), None).index == 0
    with pytest.raises(FacePoseUnsupported) as caught:
        choose_source(photo_of(a_face(yaw=36), a_face()), None, number=1)
    assert (caught.value.detail["image"], caught.value.detail["index"]) == ("source-1", 0)


def test_what_is_not_there_is_told_apart_from_what_cannot_be_used() -> None:
    with pytest.raises(FaceNotFound):
        choose_targets(photo_of(), "all")
    with pytest.raises(FaceIndexInvalid) as caught:
        choose_source(photo_of(a_face()), 1)
    assert (caught.value.detail["index"], caught.value.detail["faces"]) == (1, 1)


def test_of_a_photo_that_comes_alone_no_role_is_told() -> None:
    for faces, index in ((photo_of(), None), (photo_of(a_face()), 3), (photo_of(a_face(size=20)), None)):
        with pytest.raises(FaceError) as caught:
            choose_targets(faces, index, IMAGE)
        assert re.search(r"\b[Tt]he photo\b", str(caught.value))
        assert caught.value.detail["image"] == IMAGE
