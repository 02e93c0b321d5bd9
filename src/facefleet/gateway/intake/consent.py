"""Defines the form fields by which the consent of the people shown is attested, and their schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facefleet.safety.consent import CONSENT_NAMES, MAX_REFERENCE

_FLAG = {"type": "string", "enum": ["true", "false"], "default": "false"}

CONSENT_FIELDS: Mapping[str, Any] = {
    "consent": {"type": "string", "enum": ["true"], "description": "attests that the people shown agree"},
    "consent_reference": {
        "type": "string", "maxLength": MAX_REFERENCE, "examples": ["consent-2041"],
        "description": "where the caller keeps the consent, such as its id; an operator may require it",
    },
    "own_photo": _FLAG | {"description": "the person in the source, or in a template, is the caller"},
    "guardian": _FLAG | {"description": "a guardian has agreed for a minor who is shown"},
}  # fmt: skip
CONSENT_TEXTS: Mapping[str, int] = dict.fromkeys(CONSENT_NAMES, 1)
"""How often a form may have each field."""
