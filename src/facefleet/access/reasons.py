"""Names why a credential was refused: the label of the metric, and a fact in the answer to whoever sent it."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why somebody was not let in; ``detail["reason"]`` of the error has it."""

    MISSING = "missing"  # no credential came
    FORM = "form"  # it is neither a token nor a key, or one of a kind that this gateway does not take
    KEY_MISTYPED = "key_mistyped"  # the check sum is wrong: a typing error, no attempt to forge one
    KEY_UNKNOWN = "key_unknown"
    KEY_EXPIRED = "key_expired"
    KEY_REVOKED = "key_revoked"
    SESSION_OVER = "session_over"  # the cookie of a session that ended, or of none
    CSRF = "csrf"  # a request by cookie that does not show that our own page sends it
    TOKEN_HEADER = "token_header"  # noqa: S105 - a name, as those below
    TOKEN_ALGORITHM = "token_algorithm"  # noqa: S105
    TOKEN_KEY_UNKNOWN = "token_key_unknown"  # noqa: S105 - its issuer has no such key
    TOKEN_SIGNATURE = "token_signature"  # noqa: S105
    TOKEN_CLAIMS = "token_claims"  # noqa: S105 - issuer, audience, not before, tenant and others
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    ISSUER_AWAY = "issuer_away"
    RECORDS_AWAY = "records_away"
