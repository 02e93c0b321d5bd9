"""Errors of who asks: nobody whom the service knows, or somebody who may not do this, or not so often."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError


class Unauthenticated(FacefleetError):
    """No credential came with the request, and it needs one; ``detail["reason"]`` says more."""

    code = "unauthenticated"
    status = 401
    title = "Not signed in"


class CredentialInvalid(Unauthenticated):
    """The token or API key is malformed, forged, meant for another service, or unknown here."""

    code = "credential_invalid"
    title = "Credential not valid"


class CredentialExpired(Unauthenticated):
    """The time of the token or API key is over; get another one."""

    code = "credential_expired"
    title = "Credential has expired"


class CredentialRevoked(Unauthenticated):
    """The API key was revoked; get another one."""

    code = "credential_revoked"
    title = "Credential was revoked"


class CsrfTokenInvalid(FacefleetError):
    """A request by the cookie of a session does not show that our own page sends it; reload the page."""

    code = "csrf_token_invalid"
    status = 403
    title = "Not sent by our own page"


class NotPermitted(FacefleetError):
    """The caller is known, and may not do this."""

    code = "not_permitted"
    status = 403
    title = "Not permitted"
