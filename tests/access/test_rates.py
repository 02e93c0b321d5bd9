"""Rates are read as they are written, and nothing else is one."""

import pytest

from facefleet.access.rates import Rate


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
