"""Finds the principal of a credential: a token by the keys of its issuer, an API key or a session by the records.

Where either is away nobody is let in: the answer is an outage.
"""

from __future__ import annotations

from facefleet.access.key_verifier import KeyVerifier
from facefleet.access.keys import ANY
from facefleet.access.principal import CredentialKind, Principal
from facefleet.access.reasons import Reason
from facefleet.access.session import SessionSecret
from facefleet.access.sessions import Sessions
from facefleet.access.token_form import invalid
from facefleet.access.tokens import Tokens
from facefleet.access.uses import KeyUses
from facefleet.access.verified import Verified


class Authenticator:
    """Finds principals by what is configured: tokens, API keys, or both; and the sessions that began with them."""

    def __init__(
        self, tokens: Tokens | None, keys: KeyVerifier | None, uses: KeyUses | None, sessions: Sessions
    ) -> None:
        self._tokens = tokens
        self._keys = keys
        self._uses = uses
        self._verified = Verified(self.verify_now)
        self._verified_sessions = Verified(sessions.verify)

    async def authenticate(self, credential: str) -> Principal:
        """The principal of a credential.

        Raises:
            Unauthenticated: It cannot be used; the class and ``detail["reason"]`` say why.
            OutageError: That cannot be known now.
        """
        return self._noted(await self._verified.principal(credential))

    async def authenticate_session(self, secret: SessionSecret) -> Principal:
        """The principal of a session; errors as above."""
        return self._noted(await self._verified_sessions.principal(secret.text))

    def forget_session(self, secret: SessionSecret) -> None:
        """A session was ended: it is read from the records the next time."""
        self._verified_sessions.forget(secret.text)

    def _noted(self, principal: Principal) -> Principal:
        if self._uses is not None and principal.credential.kind is CredentialKind.KEY:
            self._uses.note(principal.credential.id)
        return principal

    async def verify_now(self, credential: str) -> tuple[Principal, float]:
        """The principal of a credential by what is known now, and for how many s more it is valid; errors as above."""
        if credential.startswith(ANY):
            if self._keys is None:
                raise invalid(Reason.FORM, "This gateway takes no API keys.")
            return await self._keys.verify(credential)
        if self._tokens is None:
            raise invalid(Reason.FORM, "This is no API key, and this gateway takes no tokens.")
        return await self._tokens.verify(credential)
