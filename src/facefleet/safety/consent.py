"""Demands an attested consent of the people shown in a request's photos; the attestation is kept with the task."""

from __future__ import annotations

from datetime import datetime

from facefleet.errors.input import ConsentRequired
from facefleet.tasks.task import Consent

_YES = frozenset({"true", "1", "yes", "on"})
_QUOTED = 64  # characters of what was sent that are told back


def attest(value: str | None, *, subject: str, now: datetime) -> Consent:
    """Read the attestation of a request.

    Args:
        value: What the caller sent as ``consent``; a yes as people write it attests, in any case of letters.
        subject: Who attests.
        now: UTC.

    Raises:
        ConsentRequired: Anything else was sent, or nothing.
    """
    if value is None or value.lower() not in _YES:
        raise ConsentRequired(
            f"{_sent(value)}Send consent=true to attest that the people shown agree to this use of their photos.",
            field="consent",
        )
    return Consent(subject=subject, at=now)


def _sent(value: str | None) -> str:
    return "" if value is None else f"consent is {value[:_QUOTED]!r}, which is no yes. "
