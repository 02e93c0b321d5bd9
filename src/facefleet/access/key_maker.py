"""Makes API keys for others and rotates them: nobody hands out more than they have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from facefleet.access.api_key import ApiKey
from facefleet.access.key_records import KeyRecords
from facefleet.access.keys import KeyHasher, KeyText, new_key
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role, permissions_of
from facefleet.clock import Clock
from facefleet.errors.access import NotPermitted
from facefleet.errors.input import OptionInvalid
from facefleet.storage.keys import MAX_TENANT, is_tenant
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.ids import new_id

LONGEST_NAME = 255
LONGEST_OVERLAP = timedelta(days=90)
USUAL_OVERLAP = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """A key that somebody wants.

    Attributes:
        scope: The only permissions that it is to have; all of its roles where None.
        expires_at: None: it does not.
        test: Whether it is for trying out the service.
    """

    tenant: str
    name: str
    roles: frozenset[Role]
    scope: frozenset[Permission] | None = None
    expires_at: datetime | None = None
    test: bool = False


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made: this once with its text.

    Attributes:
        replaced: The key in whose place it comes, as it is now; None of one that is new.
    """

    key: ApiKey
    text: KeyText
    replaced: ApiKey | None = None


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """Makes keys."""

    records: KeyRecords
    hasher: KeyHasher
    clock: Clock

    def create(self, request: KeyRequest, by: Origin, may: frozenset[Permission]) -> NewKey:
        """Make a key.

        Args:
            request: What is wanted.
            by: Who asks.
            may: What it may do itself.

        Raises:
            OptionInvalid: The request is not one for a key.
            NotPermitted: The key could do more than the one who asks.
        """
        now = self.clock()
        _check(request, now)
        text = new_key(test=request.test)
        key = ApiKey(
            id=new_id(), tenant=request.tenant, name=request.name, prefix=text.prefix, roles=request.roles,
            scope=request.scope, created_by=by.actor, created_at=now, expires_at=request.expires_at,
        )  # fmt: skip
        self._require(key, may, by, Action.KEY_CREATE, of=request.name)
        self.records.add(key, self.hasher.digest(text), by)
        return NewKey(key, text)

    def rotate(
        self, tenant: str | None, key_id: str, overlap: timedelta, by: Origin, may: frozenset[Permission]
    ) -> NewKey:
        """Make a key in the place of another, with its roles, scope and length of life; both work for a time.

        Raises:
            OptionInvalid: That time is too long, or negative.
            KeyNotFound: There is none of this tenant.
            KeyEnded: It does not work any more, or was rotated before.
            NotPermitted: It may do more than the one who asks.
        """
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise OptionInvalid(f"Both keys can work for 0 s to {LONGEST_OVERLAP.days} days.", field="overlap_seconds")
        old, now = self.records.get(tenant, key_id), self.clock()
        self._require(old, may, by, Action.KEY_ROTATE, of=old.id)
        text = new_key(test=old.test)
        new = ApiKey(
            id=new_id(), tenant=old.tenant, name=old.name, prefix=text.prefix, roles=old.roles, scope=old.scope,
            created_by=by.actor, created_at=now,
            expires_at=None if old.expires_at is None else now + (old.expires_at - old.created_at),
        )  # fmt: skip
        return NewKey(new, text, self.records.rotate(old, new, self.hasher.digest(text), now + overlap, by))

    def _require(self, key: ApiKey, may: frozenset[Permission], by: Origin, action: Action, of: str) -> None:
        """Refuse a key that could do more than the one who asks, after that was written down."""
        beyond = sorted(key.permissions - may)
        if beyond:
            self.records.note_refusal(action, of, by, key.tenant, NotPermitted.code)
            raise NotPermitted(f"The key could do what you may not: {', '.join(beyond)}.", permissions=beyond)


def _check(request: KeyRequest, now: datetime) -> None:
    if not is_tenant(request.tenant):
        raise OptionInvalid(
            f"The name of a tenant is a letter or digit, then letters, digits, '.', '_' or '-', {MAX_TENANT} in all.",
            field="tenant",
        )
    if not 1 <= len(request.name) <= LONGEST_NAME or not request.name.isprintable():
        raise OptionInvalid(f"name must have 1 to {LONGEST_NAME} printable characters.", field="name")
    if not request.roles:
        raise OptionInvalid(f"A key needs a role; roles are {', '.join(Role)}.", field="roles")
    if request.scope is not None and not request.scope & permissions_of(request.roles):
        raise OptionInvalid("No role of the key has any of these permissions.", field="permissions")
    if request.expires_at is not None and request.expires_at <= now:
        raise OptionInvalid("A key cannot expire before it is made.", field="expires_at")
