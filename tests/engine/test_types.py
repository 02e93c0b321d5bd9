from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from facefleet.engine.types import Box, Face, FuseOptions, Pose
from facefleet.errors.input import OptionInvalid


@pytest.mark.parametrize("option", ["strength", "shape"])
@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), True, "1", None])
def test_a_share_outside_zero_to_one_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(OptionInvalid) as caught:
        FuseOptions(**{option: value})
    assert caught.value.detail["option"] == option
    assert (caught.value.detail["minimum"], caught.value.detail["maximum"]) == (0.0, 1.0)
    json.dumps(caught.value.detail, allow_nan=False)


@pytest.mark.parametrize("value", [-1.01, 1.01, float("nan"), True, "old"])
def test_an_age_outside_the_credible_range_is_refused_with_its_limits(value: Any) -> None:
    with pytest.raises(OptionInvalid) as caught:
        FuseOptions(age=value)
    assert (caught.value.detail["option"], caught.value.detail["minimum"]) == ("age", -1.0)
    assert FuseOptions(age=-1).age == -1


@pytest.mark.parametrize("value", [-0.01, 0.71, float("nan"), False, "0.5"])
def test_a_weakest_blend_that_is_none_or_stronger_than_the_one_asked_for_is_refused(value: Any) -> None:
    with pytest.raises(OptionInvalid) as caught:
        FuseOptions(strength=0.7, min_strength=value)
    assert (caught.value.detail["option"], caught.value.detail["maximum"]) == ("min_strength", 0.7)
    assert FuseOptions(strength=0.7, min_strength=0.7).min_strength == 0.7


@pytest.mark.parametrize("option", ["source_face", "target_face"])
@pytest.mark.parametrize("value", [-1, 1.0, True, "first"])
def test_an_index_that_is_no_whole_number_is_refused(option: str, value: Any) -> None:
    with pytest.raises(OptionInvalid) as caught:
        FuseOptions(**{option: value})
    assert caught.value.detail["option"] == option
    assert caught.value.detail["value"] == value


def test_all_faces_can_be_targets_but_not_sources() -> None:
    assert FuseOptions(target_face="all").target_face == "all"
    with pytest.raises(OptionInvalid):
        FuseOptions(source_face="all")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, 1, 0.0, 0.25])
def test_whole_and_broken_numbers_in_range_are_accepted(value: float) -> None:
    assert FuseOptions(strength=value, shape=value).strength == value


def test_the_five_points_name_each_side_as_seen_in_the_image() -> None:
    landmarks = np.zeros((468, 3), np.float32)
    landmarks[[33, 133, 159, 145]] = (10, 20, 5)
    landmarks[[263, 362, 386, 374]] = (30, 20, 5)
    landmarks[1], landmarks[61], landmarks[291] = (20, 30, -5), (12, 40, 0), (28, 40, 0)
    face = Face(0, Box(0, 0, 40, 60), 1.0, Pose(0, 0, 0), landmarks)
    assert face.landmarks5.tolist() == [[10, 20], [30, 20], [20, 30], [12, 40], [28, 40]]
    assert face.landmarks5.dtype == np.float32
