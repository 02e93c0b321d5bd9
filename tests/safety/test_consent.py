from __future__ import annotations

import pytest
from tests.tasks.fakes import START

from facefleet.errors.input import ConsentRequired
from facefleet.safety.consent import attest
from facefleet.tasks.task import Consent


def test_true_attests_and_is_kept_with_who_and_when() -> None:
    assert attest("true", subject="alice", now=START) == Consent("alice", START)


@pytest.mark.parametrize("value", [None, "", "false", "True", "TRUE", "1", "yes", " true", "true\n", "true,false"])
def test_nothing_else_attests(value: str | None) -> None:
    with pytest.raises(ConsentRequired) as caught:
        attest(value, subject="alice", now=START)
    assert caught.value.detail == {"field": "consent"}
    assert "consent=true" in caught.value.message
