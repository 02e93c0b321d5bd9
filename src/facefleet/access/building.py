"""Builds what authenticates from the settings: tokens, API keys, both, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from joserfc.jwk import OctKey

from facefleet.access.authenticator import Authenticator
from facefleet.access.claims import ClaimNames
from facefleet.access.issuer_keys import IssuerKeys
from facefleet.access.jwks import JwksUrl
from facefleet.access.key_desk import KeyDesk
from facefleet.access.session_records import SessionRecords
from facefleet.access.sessions import Sessions
from facefleet.access.tokens import TokenRules, Tokens
from facefleet.auth_settings import Auth
from facefleet.clock import Clock
from facefleet.config import Settings
from facefleet.tasks.tables.database import Database
from facefleet.trust import trust_of


@dataclass(frozen=True, slots=True)
class Access:
    """What finds out who asks.

    Attributes:
        authenticator: None where no credential is asked for.
        keys: None where no API keys are taken.
        sessions: None where no credential is asked for.
    """

    authenticator: Authenticator | None
    keys: KeyDesk | None
    sessions: Sessions | None

    @classmethod
    def build(cls, settings: Settings, database: Database, clock: Clock) -> Access:
        """From the settings.

        Raises:
            ConfigInvalid: A secret or file of theirs cannot be used.
        """
        auth = settings.auth
        if not auth.required:
            return cls(None, None, None)
        tokens = _tokens(auth, clock) if auth.tokens else None
        desk = KeyDesk.build(settings, database, clock) if auth.keys else None
        verifier, uses = (desk.verifier, desk.uses) if desk else (None, None)
        records = desk.records if desk else None
        sessions = Sessions(SessionRecords(database, clock), records, tokens is not None, clock)
        return cls(Authenticator(tokens, verifier, uses, sessions), desk, sessions)


def _tokens(auth: Auth, clock: Clock) -> Tokens:
    names = ClaimNames(auth.tenant_claim, auth.subject_claim, auth.roles_claim, auth.plan_claim)
    rules = TokenRules(auth.token_issuer, auth.token_audience, auth.leeway, names)
    secret = auth.token_secret.get_secret_value()
    trust = trust_of(auth.jwks_ca_file, "auth.jwks_ca_file")
    return Tokens(
        rules, clock,
        issuer_keys=IssuerKeys(JwksUrl(auth.jwks_url, trust)) if auth.jwks_url else None,
        secret=OctKey.import_key(secret) if secret else None,
    )  # fmt: skip
