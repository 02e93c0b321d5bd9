from __future__ import annotations

import pytest
from tests.tasks.fakes import START

from facefleet.errors.input import ConsentRequired, OptionInvalid
from facefleet.safety.consent import ConsentRule, attest
from facefleet.tasks.task import Consent


def test_true_attests_and_is_kept_with_who_and_when() -> None:
    assert attest({"consent": "true"}, subject="alice", now=START) == Consent("alice", START)


@pytest.mark.parametrize("value", ["True", "TRUE", "1", "yes", "YES", "on", "On"])
def test_a_yes_as_people_write_it_attests(value: str) -> None:
    texts = {"consent": value, "own_photo": value, "guardian": value}
    assert attest(texts, subject="alice", now=START) == Consent("alice", START, None, own_photo=True, guardian=True)


@pytest.mark.parametrize("value", [None, "", "false", "0", "no", "off", " true", "true\n", "true,false", "x" * 9000])
def test_nothing_else_attests_and_what_was_sent_is_told(value: str | None) -> None:
    texts = {"own_photo": "true", "consent_reference": "c-1"}
    with pytest.raises(ConsentRequired) as caught:
        attest(texts | ({} if value is None else {"consent": value}), subject="alice", now=START)
    assert caught.value.detail == {"field": "consent"}
    assert "consent=true" in caught.value.message
    assert value is None or repr(value[:64]) in caught.value.message
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("value", ["", "false", "False", "0", "no", "OFF"])
def test_a_no_beside_the_consent_is_a_no(value: str) -> None:
    texts = {"consent": "true", "own_photo": value, "guardian": value}
    assert attest(texts, subject="alice", now=START) == Consent("alice", START)


@pytest.mark.parametrize("name", ["own_photo", "guardian"])
@pytest.mark.parametrize("value", ["2", "maybe", " true", "true\n", "null", "ja", "x" * 9000])
def test_what_is_neither_yes_nor_no_is_no_guess(name: str, value: str) -> None:
    with pytest.raises(OptionInvalid) as caught:
        attest({"consent": "true", name: value}, subject="alice", now=START)
    assert caught.value.detail == {"field": name}
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("reference", ["c", "consent-2041", "Vertrag 7/2026, S. 3", "同意-17", "x" * 255])
def test_a_reference_is_kept_as_it_was_sent(reference: str) -> None:
    for rule in ConsentRule:
        texts = {"consent": "true", "consent_reference": reference}
        assert attest(texts, subject="alice", now=START, rule=rule).reference == reference


@pytest.mark.parametrize("reference", ["x" * 256, "a\nb", "a\0b", "\u202eabc", "a\tb", "\x7f"])
def test_a_reference_that_cannot_be_kept_or_shown_is_refused(reference: str) -> None:
    with pytest.raises(OptionInvalid) as caught:
        attest({"consent": "true", "consent_reference": reference}, subject="alice", now=START)
    assert caught.value.detail == {"field": "consent_reference"}


@pytest.mark.parametrize("reference", [{}, {"consent_reference": ""}, {"consent_reference": "   "}])
def test_a_rule_may_ask_for_a_reference(reference: dict[str, str]) -> None:
    texts = {"consent": "true", **reference}
    with pytest.raises(ConsentRequired) as caught:
        attest(texts, subject="alice", now=START, rule=ConsentRule.REFERENCE)
    assert caught.value.detail == {"field": "consent_reference"}
    assert attest(texts, subject="alice", now=START).reference is None


@pytest.mark.parametrize("flag", ["own_photo", "guardian"])
def test_a_flag_may_be_asked_for(flag: str) -> None:
    for said in ({}, {flag: "no"}):
        with pytest.raises(ConsentRequired) as caught:
            attest({"consent": "true"} | said, subject="alice", now=START, flags=(flag,))
        assert caught.value.detail == {"field": flag}
    assert getattr(attest({"consent": "true", flag: "yes"}, subject="alice", now=START, flags=(flag,)), flag)


def test_another_rule_can_only_be_stricter() -> None:
    assert ConsentRule.REFERENCE.or_stricter("required") is ConsentRule.REFERENCE
    assert ConsentRule.REQUIRED.or_stricter("reference") is ConsentRule.REFERENCE
    assert ConsentRule.REQUIRED.or_stricter(None) is ConsentRule.REQUIRED
