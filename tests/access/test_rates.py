"""Rates are read as they are written, and nothing else is one."""

from typing import get_args

import pytest

from facefleet.access.rates import UNLIMITED, Rate, Rates
from facefleet.access.roles import Role
from facefleet.rate_settings import RoleName


@pytest.mark.parametrize("text", ["600/60s", "1/1s", "9999999/99999s"])
def test_a_rate_is_read_as_it_is_written(text: str) -> None:
    assert str(Rate.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "0/60s", "600/0s", "600", "600/60", "600/1m", "-1/1s", "1.5/1s", "1/1s\n", " 1/1s", "10000000/1s",
        "1/100000s", "٣/1s",
    ],
)  # fmt: skip
def test_what_is_written_otherwise_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="a rate is written as 600/60s"):
        Rate.parse(text)


def test_an_empty_text_is_no_rate() -> None:
    assert Rate.parse_or_none("") is None


FAST, USUAL, SLOW = Rate(1000, 60), Rate(30, 1), Rate(600, 60)


@pytest.mark.parametrize(
    ("own", "usual", "roles", "expected"),
    [
        (Rates(key=FAST, roles={Role.VIEWER: SLOW}), Rates(key=USUAL), {Role.VIEWER}, SLOW),
        (Rates(key=FAST, roles={Role.VIEWER: SLOW}), Rates(key=USUAL), {Role.MEMBER}, FAST),
        (Rates(key=FAST), Rates(roles={Role.VIEWER: SLOW}), {Role.VIEWER}, FAST),
        (UNLIMITED, Rates(key=FAST, roles={Role.VIEWER: SLOW}), {Role.VIEWER}, SLOW),
        (UNLIMITED, Rates(roles={Role.VIEWER: FAST, Role.MEMBER: USUAL}), {Role.VIEWER, Role.MEMBER}, USUAL),
        (UNLIMITED, Rates(roles={Role.VIEWER: SLOW}), {Role.VIEWER, Role.MEMBER}, None),
        (UNLIMITED, Rates(key=FAST, roles={Role.VIEWER: SLOW}), frozenset(), FAST),
    ],
)
def test_the_policy_comes_before_the_settings_and_in_each_the_role_before_the_key(
    own: Rates, usual: Rates, roles: frozenset[Role], expected: Rate | None
) -> None:
    assert own.of(roles, usual) == Rates(None, expected)


def test_the_settings_know_every_role() -> None:
    assert set(get_args(RoleName)) == set(Role)
