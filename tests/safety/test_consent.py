from __future__ import annotations

import pytest
from tests.tasks.fakes import START

from facefleet.errors.input import ConsentRequired
from facefleet.safety.consent import attest
from facefleet.tasks.task import Consent


def test_true_attests_and_is_kept_with_who_and_when() -> None:
    assert attest("true", subject="alice", now=START) == Consent("alice", START)


@pytest.mark.parametrize("value", ["True", "TRUE", "1", "yes", "YES", "on", "On"])
def test_a_yes_as_people_write_it_attests(value: str) -> None:
    assert attest(value, subject="alice", now=START) == Consent("alice", START)


@pytest.mark.parametrize("value", [None, "", "false", "0", "no", "off", " true", "true\n", "true,false", "x" * 9000])
def test_nothing_else_attests_and_what_was_sent_is_told(value: str | None) -> None:
    with pytest.raises(ConsentRequired) as caught:
        attest(value, subject="alice", now=START)
    assert caught.value.detail == {"field": "consent"}
    assert "consent=true" in caught.value.message
    assert value is None or repr(value[:64]) in caught.value.message
    assert len(caught.value.message) < 200
