"""Serves ``/v1/session``: the page signs in with a key or token, for which it gets a cookie; and signs out."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from facefleet.access.building import Access
from facefleet.access.permissions import Permission
from facefleet.access.principal import CredentialKind, Principal
from facefleet.access.roles import Role
from facefleet.access.session import Session, SessionSecret
from facefleet.errors.access import CredentialExpired, CredentialInvalid
from facefleet.errors.lookup import RouteNotFound
from facefleet.errors.outage import RecordsUncertain
from facefleet.gateway.caller import SECURE, AsCaller
from facefleet.gateway.credentials import bearer_of, cookie_name, cookie_of, require_own_origin, session_of
from facefleet.gateway.openapi import refusals
from facefleet.observability.logs import logger

_NO_STORE = {"Cache-Control": "no-store"}

_log = logger(__name__)


class SessionView(BaseModel):
    """Who asks."""

    tenant: str
    subject: str
    roles: list[Role]
    permissions: list[Permission]
    credential: CredentialKind = Field(description="what was shown first; `local`: nothing is asked for here")
    expires_at: datetime | None = Field(None, description="the end of the session; null where the request showed none")
    csrf_token: str | None = Field(
        None,
        description="of the session: sent as `X-CSRF-Token` with each request by its cookie that changes something",
    )


def router(access: Access) -> APIRouter:
    """The routes of sessions."""
    routes = APIRouter(prefix="/v1/session", tags=["session"])

    @routes.post("", status_code=201, responses=refusals(RouteNotFound, RecordsUncertain))
    async def sign_in(request: Request, caller: AsCaller, response: Response) -> SessionView:
        """Exchange the key or token of the Authorization header for the cookie of a session, 12 h at most."""
        if access.authenticator is None or access.sessions is None:
            raise RouteNotFound("This gateway asks for no credentials, so there is nothing to sign in to.")
        require_own_origin(request.scope, request.headers)
        principal, seconds = await access.authenticator.verify_now(bearer_of(request.headers))
        before = _replaced(request)
        session, secret = await run_in_threadpool(access.sessions.begin, principal, seconds, caller.origin, before)
        if before is not None:
            access.authenticator.forget_session(before)
        _log.info("session.created", session_id=session.id, tenant=caller.tenant, subject=caller.subject)
        life = (session.expires_at - session.created_at).total_seconds()
        _set_cookie(request, response, secret.text, int(life))
        return _view(principal, session, secret)

    @routes.get("")
    async def show(request: Request, caller: AsCaller, response: Response) -> SessionView:
        """Who asks; the page learns the CSRF token of its session by it."""
        response.headers.update(_NO_STORE)
        secret = session_of(request.scope, request.headers)
        if access.sessions is None or secret is None:
            return _view(caller.principal)
        session = await run_in_threadpool(access.sessions.get, secret)
        return _view(caller.principal, session, secret)

    @routes.delete("", status_code=204, responses=refusals(RecordsUncertain))
    async def sign_out(request: Request, caller: AsCaller, response: Response) -> None:
        """End the session of the cookie, within 5 s in every gateway; a request without one ends nothing."""
        secret = session_of(request.scope, request.headers)
        if access.authenticator is None or access.sessions is None or secret is None:
            return
        with suppress(CredentialExpired):  # it ended a moment ago, which is what was asked for
            session = await run_in_threadpool(access.sessions.get, secret)
            await run_in_threadpool(access.sessions.records.end, session.id, caller.origin)
            _log.info("session.ended", session_id=session.id, tenant=caller.tenant, subject=caller.subject)
        access.authenticator.forget_session(secret)
        _set_cookie(request, response, "", 0)

    return routes


def _replaced(request: Request) -> SessionSecret | None:
    """The session that the browser had before it signed in anew."""
    with suppress(CredentialInvalid):
        return cookie_of(request.scope, request.headers)
    return None


def _set_cookie(request: Request, response: Response, text: str, seconds: int) -> None:
    """Have the browser keep the cookie for so long; 0 s has it delete the one it has."""
    response.headers.update(_NO_STORE)
    response.set_cookie(
        cookie_name(request.scope), text, max_age=seconds, path="/", httponly=True, samesite="strict",
        secure=request.scope["state"][SECURE],
    )  # fmt: skip


def _view(who: Principal, session: Session | None = None, secret: SessionSecret | None = None) -> SessionView:
    return SessionView(
        tenant=who.tenant, subject=who.subject, roles=sorted(who.roles), permissions=sorted(who.permissions),
        credential=who.credential.kind, expires_at=session.expires_at if session else None,
        csrf_token=secret.csrf if secret else None,
    )  # fmt: skip
