from __future__ import annotations

import json
from typing import Any

import pytest

from facefleet.assignments import FaceAssignment
from facefleet.errors.input import OptionInvalid
from facefleet.options import AgeOptions, DetectOptions, FuseChoices, FuseOptions


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


def test_every_option_is_a_keyword_argument_of_the_client() -> None:
    assert FuseChoices.__annotations__.keys() == FuseOptions.table().keys()


def test_a_record_has_the_newer_options_only_where_they_are_used() -> None:
    assert FuseOptions().to_json() == {"strength": 1.0, "shape": 0.5, "source_face": None, "target_face": None}
    used = FuseOptions(faces=(FaceAssignment(2, 1, 0),), tiles=True, age=-0.5, min_strength=0.0)
    assert used.to_json() == FuseOptions().to_json() | {
        "faces": [{"source": 1, "source_face": 0, "target_face": 2}], "tiles": True, "age": -0.5, "min_strength": 0.0,
    }  # fmt: skip
    assert FuseOptions.of_json(json.loads(json.dumps(used.to_json()))) == used


def test_a_record_of_an_older_gateway_has_fewer_options() -> None:
    assert FuseOptions.of_json({"strength": 0.5, "target_face": "all"}) == FuseOptions(0.5, target_face="all")


def test_a_record_of_a_newer_gateway_is_not_fused_without_the_option_that_is_not_known() -> None:
    with pytest.raises(TypeError, match="unheard_of"):
        FuseOptions.of_json({"strength": 0.5, "unheard_of": 1})


def test_a_search_for_faces_always_keeps_its_option_and_ignores_those_it_does_not_know() -> None:
    assert DetectOptions().to_json() == {"tiles": False}
    assert DetectOptions.of_json({"tiles": True, "unheard_of": 1}) == DetectOptions(tiles=True)
    assert DetectOptions.of_json({}) == DetectOptions()


def test_a_choice_of_none_is_the_default() -> None:
    assert FuseOptions.of_choices({"strength": None, "tiles": True, "faces": [FaceAssignment(0)]}) == FuseOptions(
        tiles=True, faces=(FaceAssignment(0),)
    )


@pytest.mark.parametrize("wrong", [{"age": 1.01}, {"age": None}, {"target_face": -1}])
def test_aging_has_the_ranges_of_a_fusion(wrong: Any) -> None:
    with pytest.raises(OptionInvalid):
        AgeOptions(**wrong)


@pytest.mark.parametrize("options", [FuseOptions, DetectOptions])
def test_a_flag_is_true_or_false(options: Any) -> None:
    with pytest.raises(OptionInvalid, match="tiles is 1"):
        options(tiles=1)
