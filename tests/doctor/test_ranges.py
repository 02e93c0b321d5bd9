"""Ranges of versions."""

from __future__ import annotations

import pytest

from facefleet.doctor.ranges import contains


@pytest.mark.parametrize(
    ("bounds", "version", "inside"),
    [
        (">=3.11,<3.12", "3.11.0", True),
        (">=3.11,<3.12", "3.11.14", True),
        (">=3.11,<3.12", "3.12", False),
        (">=3.11,<3.12", "3.10.9", False),
        (">=3.9", "3.10", True),  # by number, not by letter
        (">=580", "580.95.05", True),
        (">=580", "575.64", False),
        (">580", "580.0", False),
        ("==1", "1.0.0", True),
        ("<=7", "7", True),
        (" >= 3.12 , < 4 ", "3.12.1rc1", True),
    ],
)
def test_versions_are_compared_as_numbers_part_by_part(bounds: str, version: str, inside: bool) -> None:
    assert contains(bounds, version) is inside


@pytest.mark.parametrize("bounds", ["", "3.11", "~=3.11", ">=", ">=3.11,", ">=three", "!=3"])
def test_what_is_no_comparison_is_refused(bounds: str) -> None:
    with pytest.raises(ValueError, match="is not a comparison"):
        contains(bounds, "3.11")
