"""Makes one administrator's API key at the first start of a service that asks for keys and has none, in a secret file.

The key is written before it is committed: whoever died in between goes on with the key in the file. So an operator may
also put a key there before the first start. Of gateways that start together on one database, one commits its key.
"""

from __future__ import annotations

from pathlib import Path

from facefleet.access.api_key import ApiKey
from facefleet.access.key_desk import KeyDesk
from facefleet.access.keys import KeyText, new_key, parse
from facefleet.access.principal import LOCAL
from facefleet.access.roles import Role
from facefleet.clock import Clock
from facefleet.config import Settings
from facefleet.errors.access import CredentialInvalid
from facefleet.errors.input import ConfigInvalid
from facefleet.files import kept_secret, reason
from facefleet.observability.logs import logger
from facefleet.tasks.audit import SERVICE
from facefleet.tasks.ids import new_id

ROLES = frozenset({Role.TENANT_ADMIN, Role.OPERATOR})
_FILE = "admin.key"
_SETTING, _VARIABLE = "auth.first_key_file", "FACEFLEET_AUTH__FIRST_KEY_FILE"

_log = logger(__name__)


def make_first_key(settings: Settings, desk: KeyDesk, clock: Clock) -> bool:
    """Make the first key, and log where it is; it is in no log.

    Returns:
        Whether this process made it: not where the records have or had a key.

    Raises:
        ConfigInvalid: Its file cannot be written or read, or holds something else.
        OutageError: The records do not answer.
    """
    if desk.records.any():
        return False
    path = settings.auth.first_key_file or settings.data.absolute() / _FILE
    was_there = path.exists()
    text = _text_in(path)
    key = ApiKey(
        id=new_id(), tenant=LOCAL.tenant, name="first key", prefix=text.prefix, roles=ROLES, scope=None,
        created_by=SERVICE.actor, created_at=clock(), expires_at=None,
    )  # fmt: skip
    if not desk.records.add_first(key, desk.maker.hasher.digest(text), SERVICE):
        if not was_there and desk.records.find(text.prefix) is None:  # another's was first: this one opens nothing
            path.unlink(missing_ok=True)
        return False
    # A warning, since it must be seen once whatever the level of the log is.
    _log.warning("keys.first_made", file=str(path), key_id=key.id, tenant=key.tenant, roles=sorted(key.roles))
    return True


def _text_in(path: Path) -> KeyText:
    """The key in the file; a new one where there is no file."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigInvalid(
            f"The first API key cannot be kept in {path}: {reason(error)}; set {_VARIABLE}.",
            setting=_SETTING, path=str(path),
        ) from None  # fmt: skip
    try:
        return parse(kept_secret(path, lambda: new_key(test=False).text, _VARIABLE))
    except CredentialInvalid:
        raise ConfigInvalid(
            f"{path} does not hold an API key; remove it, or set {_VARIABLE} to another file.",
            setting=_SETTING, path=str(path),
        ) from None  # fmt: skip
