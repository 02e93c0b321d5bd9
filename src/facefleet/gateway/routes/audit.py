"""Serves ``GET /v1/audit`` and ``GET /v1/operator/audit``: who did what, page by page or as JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from facefleet.errors.access import NotPermitted
from facefleet.errors.input import OptionInvalid
from facefleet.gateway.caller import AsCaller
from facefleet.gateway.downloads import PRIVATE
from facefleet.gateway.openapi import refusals
from facefleet.gateway.routes.paging import NextCursor, PageQuery
from facefleet.gateway.times import Time
from facefleet.tasks.audit import LONGEST, Action, Entry
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.records.chunks import chunks

LINES = "application/x-ndjson"
_JSON = ("application/json", "application/*", "*/*")

_TEXT = r"^[^\x00]*$"  # no database can look for a NUL

Accept = Annotated[str, Header(include_in_schema=False)]


class AuditQuery(PageQuery):
    """Which entries, and how many of them."""

    actor: str | None = Field(None, max_length=LONGEST, pattern=_TEXT, description="subject of whoever asked")
    action: Action | None = None
    object: str | None = Field(
        None, max_length=LONGEST, pattern=_TEXT, description="id or name of a task, template, batch, lane, …"
    )
    after: Time | None = Field(None, description="RFC 3339, with its zone; inclusive, in whole ms")
    before: Time | None = Field(None, description="RFC 3339, with its zone; exclusive, in whole ms")


class OperatorAuditQuery(AuditQuery):
    """The same, of every tenant."""

    tenant: str | None = Field(
        None, max_length=64, pattern=_TEXT, description="only about its objects; empty: about nobody's, such as lanes"
    )


class AuditEntry(BaseModel):
    """One thing that was done, or asked for and refused."""

    id: str
    at: str = Field(description="UTC, in ms", json_schema_extra={"format": "date-time"})
    actor: str = Field(
        description="subject of whoever asked; `facefleet`: the service; `cli:…`: a command on the records"
    )
    actor_tenant: str = Field(description="its tenant; empty for the service and for commands")
    credential: str | None = Field(description="id of the key or token that it showed")
    address: str | None = Field(description="that it asked from")
    tenant: str = Field(description="whose object it is; empty for nobody's")
    action: str = Field(description="what was done, such as `task.create`")
    object: str | None = Field(description="id or name of the task, template, batch, lane, …")
    outcome: str = Field(description="`ok` or `refused`")
    code: str | None = Field(description="why it was refused")
    consent: str | None = Field(description="who attested the consent of the people shown")
    consent_reference: str | None = Field(description="where that consent is kept, in their own words")
    trace_id: str | None


class AuditPage(BaseModel):
    """Some entries, the newest first."""

    entries: list[AuditEntry]
    next_cursor: NextCursor


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page; or, for a request that accepts JSON Lines, every entry that matches, the oldest first",
        "content": {LINES: {"schema": {"type": "string"}}},
    }
}


def router(audit_log: AuditLog) -> APIRouter:
    """The routes of the audit log."""
    routes = APIRouter(prefix="/v1", tags=["audit"], responses=refusals(NotPermitted))

    @routes.get("/audit", response_model=AuditPage, responses=_ANSWERS)
    async def mine(caller: AsCaller, query: Annotated[AuditQuery, Query()], accept: Accept = "*/*") -> Any:
        """Who did what to the objects of your tenant."""
        return await _answer(audit_log, query, caller.tenant, accept)

    @routes.get("/operator/audit", response_model=AuditPage, responses=_ANSWERS)
    async def everybodys(query: Annotated[OperatorAuditQuery, Query()], accept: Accept = "*/*") -> Any:
        """Who did what, of every tenant and of the service itself."""
        return await _answer(audit_log, query, query.tenant, accept)

    return routes


async def _answer(audit_log: AuditLog, query: AuditQuery, tenant: str | None, accept: str) -> AuditPage | Response:
    wanted = AuditFilter(tenant, query.actor, query.action, query.object, query.after, query.before)
    if _accepts_lines(accept):
        if query.model_fields_set & {"cursor", "limit"}:
            raise OptionInvalid("JSON Lines have every entry that matches; leave cursor and limit out.", field="cursor")
        return StreamingResponse(_lines(audit_log.entries(wanted)), media_type=LINES, headers=PRIVATE)
    page = await run_in_threadpool(audit_log.page, wanted, query.cursor, query.limit)
    return AuditPage(entries=[AuditEntry(**entry.values()) for entry in page.rows], next_cursor=page.next_cursor)


def _lines(entries: Iterator[Entry]) -> Iterator[str]:
    """What was hashed of each entry, and a line feed; many at once, since each piece costs a change of threads."""
    return ("".join(f"{entry.canonical()}\n" for entry in chunk) for chunk in chunks(entries))


def _accepts_lines(accept: str) -> bool:
    """Whether JSON Lines come before JSON among the types that the caller accepts."""
    named = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return next((name for name in named if name in (LINES, *_JSON)), "") == LINES
