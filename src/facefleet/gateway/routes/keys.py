"""Serves ``/v1/keys``: tenant-admins make API keys for their tenant, list, rotate and revoke them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from starlette.concurrency import run_in_threadpool

from facefleet.access.api_key import ApiKey, KeyState
from facefleet.access.key_desk import KeyDesk
from facefleet.access.key_maker import LONGEST_NAME, LONGEST_OVERLAP, USUAL_OVERLAP, KeyRequest, NewKey
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.clock import Clock
from facefleet.errors.conflict import KeyEnded
from facefleet.errors.input import OptionInvalid
from facefleet.errors.lookup import KeyNotFound, RouteNotFound
from facefleet.errors.outage import RecordsUncertain
from facefleet.gateway.caller import AsCaller
from facefleet.gateway.openapi import refusals
from facefleet.gateway.routes.paging import NextCursor, PageQuery
from facefleet.gateway.times import Time
from facefleet.observability.logs import logger

_REFUSALS = refusals(RouteNotFound)  # where no keys are taken
_ONE_REFUSALS = refusals(RouteNotFound, KeyNotFound)
_NO_STORE = {"Cache-Control": "no-store"}

_log = logger(__name__)


class KeyBody(BaseModel):
    """The key that is wanted."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=LONGEST_NAME, description="in your own words; not unique")
    roles: list[Role] = Field(min_length=1, max_length=len(Role), description="those whose permissions you have")
    permissions: list[Permission] | None = Field(
        None, max_length=len(Permission), description="the only ones of these roles that it is to have; null: all"
    )
    expires_at: Time | None = Field(None, description="RFC 3339, with its zone; null: it does not")
    test: StrictBool = Field(False, description="for trying out the service: a key that begins with `ff_test_`")


class RotationBody(BaseModel):
    """How a key is replaced."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = Field(
        int(USUAL_OVERLAP.total_seconds()), ge=0, le=int(LONGEST_OVERLAP.total_seconds()),
        strict=True, description="s that both keys work",
    )  # fmt: skip


class KeyView(BaseModel):
    """An API key, without the key."""

    key_id: str
    name: str
    prefix: str = Field(description="how the key begins, by which its holder finds it")
    status: KeyState
    roles: list[Role]
    permissions: list[Permission] = Field(description="what its holder may do")
    test: bool
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="to about a minute")
    revoked_at: datetime | None
    replaced_by: str | None = Field(description="id of the key that it was rotated into")


class NewKeyView(KeyView):
    """A new API key, with the key: it is shown this once."""

    key: str
    replaces: KeyView | None = Field(description="the key in whose place it comes")


class KeyPage(BaseModel):
    """Some keys, the newest first."""

    keys: list[KeyView]
    next_cursor: NextCursor


def router(desk: KeyDesk | None, clock: Clock) -> APIRouter:
    """The routes of keys; without ``desk`` they answer that there is nothing."""
    routes = APIRouter(prefix="/v1/keys", tags=["keys"], responses=_REFUSALS)

    @routes.post("", status_code=201, responses=refusals(OptionInvalid, RecordsUncertain))
    async def create(body: KeyBody, caller: AsCaller, response: Response) -> NewKeyView:
        """Make an API key of your tenant that may do as much as you, or less. Keep it: it is shown this once."""
        request = KeyRequest(
            tenant=caller.tenant, name=body.name, roles=frozenset(body.roles),
            scope=None if body.permissions is None else frozenset(body.permissions),
            expires_at=body.expires_at, test=body.test,
        )  # fmt: skip
        make = _there(desk).maker.create
        made = await run_in_threadpool(make, request, caller.origin, caller.principal.permissions)
        _log.info("key.created", key_id=made.key.id, tenant=caller.tenant, subject=caller.subject)
        response.headers.update(_NO_STORE)
        return _new(made, clock())

    @routes.get("")
    async def newest(caller: AsCaller, query: Annotated[PageQuery, Query()]) -> KeyPage:
        """The API keys of your tenant, the newest first."""
        page = await run_in_threadpool(_there(desk).records.page, caller.tenant, query.cursor, query.limit)
        return KeyPage(keys=[_view(key, clock()) for key in page.rows], next_cursor=page.next_cursor)

    @routes.get("/{key_id}", responses=_ONE_REFUSALS)
    async def show(key_id: str, caller: AsCaller) -> KeyView:
        """One API key of your tenant."""
        return _view(await run_in_threadpool(_there(desk).records.get, caller.tenant, key_id), clock())

    @routes.delete("/{key_id}", responses=_ONE_REFUSALS | refusals(RecordsUncertain))
    async def revoke(key_id: str, caller: AsCaller) -> KeyView:
        """End an API key; a few seconds later no gateway takes it. To revoke it again is no error."""
        key = await run_in_threadpool(_there(desk).records.revoke, caller.tenant, key_id, caller.origin)
        _log.info("key.revoked", key_id=key.id, tenant=caller.tenant, subject=caller.subject)
        return _view(key, clock())

    @routes.post(
        "/{key_id}/rotate",
        status_code=201,
        responses=_ONE_REFUSALS | refusals(OptionInvalid, KeyEnded, RecordsUncertain),
    )
    async def rotate(key_id: str, caller: AsCaller, response: Response, body: RotationBody | None = None) -> NewKeyView:
        """Make a key in the place of another; both work for a time. Keep it: it is shown this once."""
        overlap = timedelta(seconds=(body or RotationBody()).overlap_seconds)
        make, may = _there(desk).maker.rotate, caller.principal.permissions
        made = await run_in_threadpool(make, caller.tenant, key_id, overlap, caller.origin, may)
        _log.info("key.rotated", key_id=key_id[:64], into=made.key.id, tenant=caller.tenant, subject=caller.subject)
        response.headers.update(_NO_STORE)
        return _new(made, clock())

    return routes


def _there(desk: KeyDesk | None) -> KeyDesk:
    if desk is None:
        raise RouteNotFound("This gateway takes no API keys; FACEFLEET_AUTH__KEYS=true has it take them.")
    return desk


def _new(made: NewKey, now: datetime) -> NewKeyView:
    replaces = _view(made.replaced, now) if made.replaced else None
    return NewKeyView(**_view(made.key, now).model_dump(), key=made.text.text, replaces=replaces)


def _view(key: ApiKey, now: datetime) -> KeyView:
    return KeyView(
        key_id=key.id, name=key.name, prefix=key.prefix, status=key.state(now), roles=sorted(key.roles),
        permissions=sorted(key.permissions), test=key.test, created_by=key.created_by, created_at=key.created_at,
        expires_at=key.expires_at, last_used_at=key.used_at, revoked_at=key.revoked_at, replaced_by=key.replaced_by,
    )  # fmt: skip
