"""Writes each request that lacked the permission of its endpoint to the audit log, before it is answered."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from facefleet.errors.access import NotPermitted
from facefleet.errors.outage import OutageError
from facefleet.gateway.caller import origin_of
from facefleet.observability.logs import logger
from facefleet.tasks.audit import Action
from facefleet.tasks.records.audit_log import AuditLog

_log = logger(__name__)


class RecordRefusals:
    """Stands outside of the authentication, which refuses, and inside of what makes a document of it.

    Args:
        app: The layers inside.
        audit_log: Where it is written.
    """

    def __init__(self, app: ASGIApp, *, audit_log: AuditLog) -> None:
        self._app = app
        self._audit_log = audit_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; where it is refused for want of a permission, write that down."""
        try:
            await self._app(scope, receive, send)
        except NotPermitted as refusal:
            await run_in_threadpool(self._record, scope, refusal)
            raise

    def _record(self, scope: Scope, refusal: NotPermitted) -> None:
        wanted = f"{scope['method']} {scope['path']}"
        try:
            self._audit_log.record(origin_of(scope), Action.ACCESS, wanted, refused=refusal.code)
        except OutageError as error:  # it is refused all the same
            _log.warning("audit.not_recorded", object=wanted, code=error.code)
