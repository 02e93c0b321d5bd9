"""Demands an attested consent of the people shown in a request's photos; the attestation is kept with the task."""

from __future__ import annotations

from datetime import datetime

from facefleet.errors.input import ConsentRequired
from facefleet.tasks.task import Consent


def attest(value: str | None, *, subject: str, now: datetime) -> Consent:
    """Read the attestation of a request.

    Args:
        value: What the caller sent as ``consent``; only ``true`` attests.
        subject: Who attests.
        now: UTC.

    Raises:
        ConsentRequired: Anything else was sent, or nothing.
    """
    if value != "true":
        raise ConsentRequired(
            "Send consent=true to attest that the people shown in both photos agree to this fusion.", field="consent"
        )
    return Consent(subject=subject, at=now)
