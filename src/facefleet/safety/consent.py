"""Demands an attested consent of the people shown in a request's photos; the attestation is kept with the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from facefleet.errors.input import ConsentRequired, OptionInvalid
from facefleet.tasks.task import Consent

MAX_REFERENCE = 255  # characters, as the records have room for
CONSENT_NAMES = ("consent", "consent_reference", "own_photo", "guardian")
"""The texts of a request that attest."""

_YES = frozenset({"true", "1", "yes", "on"})
_NO = frozenset({"false", "0", "no", "off"})
_ASKED = {
    "own_photo": "for photos that show whoever sends them",
    "guardian": "for the consent of a guardian",
}
_QUOTED = 64  # characters of what was sent that are told back


class ConsentRule(StrEnum):
    """What every request has to attest."""

    REQUIRED = "required"  # that the people shown agree
    REFERENCE = "reference"  # and where that is written down

    def or_stricter(self, other: str | None) -> ConsentRule:
        """The stricter one of two rules, the other of which may not be given."""
        return ConsentRule.REFERENCE if self.REFERENCE in (self, other) else self


def attest(
    texts: Mapping[str, str], *, subject: str, now: datetime, rule: ConsentRule = ConsentRule.REQUIRED,
    flags: Sequence[str] = (),
) -> Consent:  # fmt: skip
    """Read the attestation of a request.

    Args:
        texts: What the caller sent; of it ``CONSENT_NAMES``. A yes as people write it is one, in any case of letters.
        subject: Who attests.
        now: UTC.
        rule: What has to be there.
        flags: Those of ``own_photo`` and ``guardian`` that have to be a yes.

    Raises:
        ConsentRequired: ``consent`` is no yes, or a reference or flag is missing that has to be there.
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
            "Send consent_reference, too: you are asked where the consent of the people shown is kept.",
            field="consent_reference",
        )
    consent = Consent(subject, now, reference, _flag(texts, "own_photo"), _flag(texts, "guardian"))
    for name in flags:
        if not getattr(consent, name):
            raise ConsentRequired(f"Send {name}=true, too: your policy asks {_ASKED[name]}.", field=name)
    return consent


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
