"""Demands an attested consent of the people shown in a request's photos; the attestation is kept with the task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from facefleet.errors.input import ConsentRequired, OptionInvalid
from facefleet.tasks.task import Consent

MAX_REFERENCE = 255  # characters, as the records have room for
CONSENT_NAMES = ("consent", "consent_reference", "own_photo", "guardian")
"""The texts of a request that attest."""

_YES = frozenset({"true", "1", "yes", "on"})
_NO = frozenset({"false", "0", "no", "off"})
_QUOTED = 64  # characters of what was sent that are told back


class ConsentRule(StrEnum):
    """What every request has to attest."""

    REQUIRED = "required"  # that the people shown agree
    REFERENCE = "reference"  # and where that is written down


def attest(
    texts: Mapping[str, str], *, subject: str, now: datetime, rule: ConsentRule = ConsentRule.REQUIRED
) -> Consent:  # fmt: skip
    """Read the attestation of a request.

    Args:
        texts: What the caller sent; of it ``CONSENT_NAMES``. A yes as people write it is one, in any case of letters.
        subject: Who attests.
        now: UTC.
        rule: What has to be there.

    Raises:
        ConsentRequired: ``consent`` is no yes, or there is no reference where one has to be.
        OptionInvalid: Another of the texts cannot be understood.
    """
    value = texts.get("consent")
    if value is None or value.lower() not in _YES:
        raise ConsentRequired(
            f"{_sent(value)}Send consent=true to attest that the people shown agree to this use of their photos.",
            field="consent",
        )
    reference = _reference(texts.get("consent_reference"))
    if reference is None and rule is ConsentRule.REFERENCE:
        raise ConsentRequired(
            "Send consent_reference, too: this service asks where the consent of the people shown is kept.",
            field="consent_reference",
        )
    return Consent(subject, now, reference, _flag(texts, "own_photo"), _flag(texts, "guardian"))


def _reference(text: str | None) -> str | None:
    """The reference; one of blanks alone is none."""
    if text is None or not text.strip(" "):
        return None
    if len(text) > MAX_REFERENCE or not text.isprintable():
        raise OptionInvalid(
            f"consent_reference is 1 to {MAX_REFERENCE} characters that can be printed.", field="consent_reference"
        )
    return text


def _flag(texts: Mapping[str, str], name: str) -> bool:
    """A yes or a no; what is neither is refused, since a guess would be written down as said."""
    value = texts.get(name) or "false"
    if value.lower() not in _YES | _NO:
        raise OptionInvalid(f"{name} is {value[:_QUOTED]!r}; send true or false.", field=name)
    return value.lower() in _YES


def _sent(value: str | None) -> str:
    return "" if value is None else f"consent is {value[:_QUOTED]!r}, which is no yes. "
