"""Signs browsers in and out, and finds the principal of a session, which ends with the credential that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import anyio.to_thread

from facefleet.access.api_key import KeyState
from facefleet.access.key_records import KeyRecords
from facefleet.access.principal import CredentialKind, Principal
from facefleet.access.reasons import Reason
from facefleet.access.session import LONGEST, Session, SessionSecret
from facefleet.access.session_records import SessionRecords
from facefleet.clock import Clock
from facefleet.errors.access import CredentialExpired, CredentialRevoked
from facefleet.errors.lookup import KeyNotFound
from facefleet.tasks.audit import Origin
from facefleet.tasks.ids import new_id_of


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of one database.

    Attributes:
        keys: None where no API keys are taken.
        tokens: Whether tokens are taken.
    """

    records: SessionRecords
    keys: KeyRecords | None
    tokens: bool
    clock: Clock

    def begin(
        self, principal: Principal, seconds: float, by: Origin, replaced: SessionSecret | None = None
    ) -> tuple[Session, SessionSecret]:
        """Sign somebody in.

        Args:
            principal: Who showed a credential that was verified now, not remembered.
            seconds: s that the credential is valid; infinite where it does not expire.
            by: The same for the audit log.
            replaced: Of the session that the same browser had; it ends.
        """
        now, secret = self.clock(), SessionSecret.new()
        ends = now + timedelta(seconds=min(seconds, LONGEST.total_seconds()))
        session = Session(id=new_id_of(now), principal=principal, created_at=now, expires_at=ends)
        self.records.add(session, secret.digest, by, replaced.digest if replaced else None)
        return session, secret

    def get(self, secret: SessionSecret) -> Session:
        """The session of a cookie, which may have ended with its credential.

        Raises:
            CredentialExpired: It is over, or nobody was given this cookie.
        """
        session = self.records.find(secret.digest)
        if session is None:
            raise CredentialExpired("The session is over; sign in again.", reason=Reason.SESSION_OVER.value)
        return session

    async def verify(self, text: str) -> tuple[Principal, float]:
        """The principal of a cookie, and for how many s more it is valid.

        Raises:
            CredentialExpired: The session is over, or nobody was given this cookie.
            CredentialRevoked: Its key has ended, or credentials of its kind are taken no more.
            RecordsUnavailable: They do not answer.
        """
        return await anyio.to_thread.run_sync(self._verify, text)

    def _verify(self, text: str) -> tuple[Principal, float]:
        session = self.get(SessionSecret(text))
        seconds = (session.expires_at - self.clock()).total_seconds()
        if session.principal.credential.kind is CredentialKind.KEY:
            return self._of_key(session), seconds
        if not self.tokens:
            raise CredentialRevoked("This gateway takes no tokens any more.", reason=Reason.SESSION_OVER.value)
        return session.principal, seconds

    def _of_key(self, session: Session) -> Principal:
        """What the key may do now; a key that has ended ends its sessions."""
        key_id = session.principal.credential.id
        try:
            key = self.keys.get(session.principal.tenant, key_id) if self.keys else None
        except KeyNotFound:
            key = None
        if key is None or key.state(self.clock()) is not KeyState.ACTIVE:
            message = "The API key of this session has ended."
            raise CredentialRevoked(message, reason=Reason.KEY_REVOKED.value, key_id=key_id)
        return key.principal()
