from __future__ import annotations

import pytest

from facefleet.assignments import FaceAssignment, check_assignments, check_sources
from facefleet.errors.input import OptionInvalid


def assigned(*targets: int) -> list[FaceAssignment]:
    return [FaceAssignment(target) for target in targets]


def test_six_faces_can_be_assigned_and_seven_cannot() -> None:
    check_assignments(assigned(*range(6)), other_choice=False)
    with pytest.raises(OptionInvalid) as caught:
        check_assignments(assigned(*range(7)), other_choice=False)
    assert caught.value.detail == {"option": "faces", "value": 7, "maximum": 6}


def test_a_face_is_replaced_once() -> None:
    with pytest.raises(OptionInvalid) as caught:
        check_assignments(assigned(2, 0, 2), other_choice=False)
    assert caught.value.detail["target_face"] == 2


def test_there_are_not_two_ways_of_choosing_at_once() -> None:
    check_assignments([], other_choice=True)
    with pytest.raises(OptionInvalid):
        check_assignments(assigned(0), other_choice=True)


def test_an_assignment_names_a_source_that_is_there() -> None:
    with pytest.raises(OptionInvalid) as caught:
        check_sources([FaceAssignment(0, source=2), FaceAssignment(1)], 2)
    assert (caught.value.detail["source"], caught.value.detail["sources"]) == (2, 2)


@pytest.mark.parametrize("assignments", [[], [FaceAssignment(0, source=1)]])
def test_no_photo_is_sent_in_vain(assignments: list[FaceAssignment]) -> None:
    with pytest.raises(OptionInvalid):
        check_sources(assignments, 2)


def test_there_are_at_most_six_sources() -> None:
    assignments = [FaceAssignment(number, source=number) for number in range(6)]
    check_sources(assignments, 6)
    with pytest.raises(OptionInvalid):
        check_sources(assignments, 7)


@pytest.mark.parametrize("wrong", [{"target_face": -1}, {"target_face": 0, "source": True}, {"target_face": 0.5}])
def test_numbers_of_an_assignment_are_whole_and_not_negative(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionInvalid):
        FaceAssignment(**wrong)
