"""Answers a download of a picture: through the gateway, or by a link where the object store gives links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from facefleet.storage.store import Store
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.records.audit_log import AuditLog

PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
LINK_SECONDS = 60.0  # enough to begin a download, which goes on after that; each read is recorded as one link

# For whoever may not follow to the store: a page before a bucket without a CORS rule, a network that it is not in.
Redirect = Annotated[bool, Query(description="false: the bytes come from here, where the store gives links, too")]


@dataclass(frozen=True, slots=True)
class Downloads:
    """Answers one request for an object, and records who read it before the first byte or the link leaves.

    Attributes:
        store: Holds the object.
        audit_log: Where the read is recorded.
        origin: Who reads.
        method: ``GET`` or ``HEAD``; the latter reads nothing.
        redirect: Whether the caller takes a link instead of the bytes.
    """

    store: Store
    audit_log: AuditLog
    origin: Origin
    method: str
    redirect: bool

    def answer(self, key: str, media_type: str, name: str, action: Action, of: str) -> Response:
        """Answer with the object, or with a link to it.

        Args:
            key: Names the object in the store.
            media_type: Content type of the answer.
            name: File name that the answer suggests.
            action: What reading it is.
            of: Id of the task or template that it belongs to.

        Raises:
            ObjectMissing: The object is not there.
            StoreUnavailable: The store does not answer.
            RecordsUnavailable: The read cannot be recorded, so nothing leaves.
        """
        # A signed link is good for one method, and that is GET.
        link = self.store.link(key, LINK_SECONDS) if self.redirect and self.method == "GET" else None
        if link is not None:
            self.audit_log.record(self.origin, action, of)
            return RedirectResponse(link, headers=PRIVATE)
        stream = self.store.stream(key)
        headers = PRIVATE | {"Content-Disposition": f'inline; filename="{name}"', "Content-Length": str(stream.size)}
        if self.method == "HEAD":
            return Response(media_type=media_type, headers=headers)
        self.audit_log.record(self.origin, action, of)
        return StreamingResponse(stream.chunks, media_type=media_type, headers=headers)
