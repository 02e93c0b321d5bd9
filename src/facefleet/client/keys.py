"""Holds API keys as a server reports them, and builds the requests about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

from facefleet.client import arguments
from facefleet.client.parsing import malformed_response, parse
from facefleet.client.requests import ApiRequest
from facefleet.client.responses import Document
from facefleet.errors.input import OptionInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """An API key, without the key.

    Attributes:
        prefix: How the key begins, by which its holder finds it.
        status: ``active``, ``expired`` or ``revoked``.
        permissions: What its holder may do.
        last_used_at: To about a minute.
        replaced_by: Id of the key that it was rotated into.
    """

    key_id: str
    status: str
    name: str = ""
    prefix: str = ""
    roles: Sequence[str] = ()
    permissions: Sequence[str] = ()
    test: bool = False
    created_by: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    replaced_by: str | None = None
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ("created_at", "expires_at", "last_used_at", "revoked_at")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made.

    Attributes:
        key: To be kept by its holder: the server shows it this once.
        view: What stays to be seen.
        replaces: The key in whose place it comes, of a rotation.
    """

    key: str = field(repr=False)
    view: KeyView
    replaces: KeyView | None = None


def key_view(document: Document) -> KeyView:
    """A key out of its JSON.

    Raises:
        ServerUnreachable: It is none; whatever answered is no gateway.
    """
    return parse(KeyView, {name: value for name, value in document.items() if name not in ("key", "replaces")})


def new_key(document: Document) -> NewKey:
    """A new key out of its JSON; raises as above."""
    key, replaced = document.get("key"), document.get("replaces")
    if not isinstance(key, str):
        raise malformed_response(TypeError("it has no key"))
    return NewKey(key, key_view(document), key_view(replaced) if replaced else None)


def creation(
    name: str, roles: Sequence[str], permissions: Sequence[str] | None, expires_at: datetime | None, *, test: bool
) -> ApiRequest:
    """``POST /v1/keys``.

    Raises:
        OptionInvalid: An argument cannot be sent.
    """
    body: dict[str, object] = {"name": arguments.text("name", name), "roles": arguments.several("roles", roles)}
    if permissions is not None:
        body["permissions"] = arguments.several("permissions", permissions)
    if expires_at is not None:
        if not isinstance(expires_at, datetime):
            raise OptionInvalid(
                f"expires_at must be a datetime with its time zone, not {type(expires_at).__name__}.",
                option="expires_at",
            )
        body["expires_at"] = expires_at.isoformat()
    return ApiRequest("POST", "/v1/keys", json=body | ({"test": True} if test else {}))


def rotation(key_id: str, overlap: float | None) -> ApiRequest:
    """``POST /v1/keys/{key_id}/rotate``; raises as above."""
    seconds = {} if overlap is None else {"overlap_seconds": int(arguments.seconds("overlap", overlap))}
    return of_key(key_id, "/rotate", "POST", seconds)


def of_key(key_id: str, part: str = "", method: str = "GET", json: Document | None = None) -> ApiRequest:
    """A request about one key."""
    if not arguments.text("key_id", key_id):
        raise OptionInvalid("key_id is empty.", option="key_id")
    return ApiRequest(method, f"/v1/keys/{quote(key_id, safe='')}{part}", json=json)
