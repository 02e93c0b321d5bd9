"""``--source``, ``--assign`` and ``--tiles``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from facefleet.assignments import FaceAssignment
from facefleet.cli.assignments import parse_assignments
from facefleet.errors.input import OptionInvalid

from .conftest import Run


def test_an_assignment_is_a_source_a_face_of_it_and_a_face_of_the_target() -> None:
    assert parse_assignments(["1:0=2", "0=1"]) == (FaceAssignment(2, 1, 0), FaceAssignment(1, 0, None))


@pytest.mark.parametrize("text", ["", "1", "=2", "1:=2", "a=b", "1=2=3", "-1=0", "1:0=", "٣=1", "99999=0"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(OptionInvalid):
        parse_assignments([text])


@pytest.mark.usefixtures("models")
def test_two_sources_are_fused_into_one_photo(run: Run, samples: Mapping[str, Path]) -> None:
    done = run(
        "fuse", samples["astronaut"], samples["friends"], "-o", "out.jpg", "--source", samples["smiling_woman"],
        "--assign", "0=1", "--assign", "1:0=0", "--json",
    )  # fmt: skip
    assert [face["index"] for face in done.document["faces"]] == [0, 1], done.out


def test_a_source_without_an_assignment_is_refused_before_any_work(run: Run, samples: Mapping[str, Path]) -> None:
    done = run("fuse", samples["astronaut"], samples["friends"], "-o", "o.jpg", "--source", samples["group"], "--json")
    assert (done.status, done.error["code"]) == (2, "option_invalid")
