"""Defines what a caller attests about the people shown in photos, as an argument and as fields of a form."""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.client import arguments
from facefleet.errors.input import ConsentRequired


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """An attestation that the people shown agree, with what is known of it; the server keeps it.

    Attributes:
        reference: Where you keep their consent, such as its id in your own records; at most 255 characters.
        own_photo: The person in the source is you.
        guardian: A guardian has agreed for a minor who is shown.
    """

    reference: str | None = None
    own_photo: bool = False
    guardian: bool = False


def fields(consent: bool | Consent) -> dict[str, str]:
    """The fields of a form that attest.

    Raises:
        ConsentRequired: Nothing is attested; nothing is sent.
        OptionInvalid: The reference is no text.
    """
    if consent is True:
        consent = Consent()
    if not isinstance(consent, Consent):
        raise ConsentRequired(
            "Pass consent=True once the people shown in the photos have agreed; nothing was sent.", field="consent"
        )
    given = {"consent": "true"}
    if consent.reference is not None:
        given["consent_reference"] = arguments.text("reference", consent.reference)
    return given | {name: "true" for name in ("own_photo", "guardian") if getattr(consent, name)}
