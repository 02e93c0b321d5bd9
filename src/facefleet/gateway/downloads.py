"""Answers a download of a picture: through the gateway, or by a link where the object store gives links."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from facefleet.storage.store import Store

PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_LINK_SECONDS = 300.0  # enough to begin a download; it goes on after that

# A page may not follow to the store: its policy names this origin alone, and a token of ours is not for others.
Redirect = Annotated[bool, Query(description="false: the bytes come from here, where the store gives links, too")]


def download(
    store: Store, key: str, media_type: str, name: str, method: str, *, redirect: bool
) -> Response:  # fmt: skip
    """Answer a request for an object.

    Args:
        store: Holds the object.
        key: Names the object in the store.
        media_type: Content type of the answer.
        name: File name that the answer suggests.
        method: ``GET`` or ``HEAD``.
        redirect: Whether the caller takes a link instead of the bytes.

    Raises:
        ObjectMissing: The object is not there.
        StoreUnavailable: The store does not answer.
    """
    # A signed link is good for one method, and that is GET.
    link = store.link(key, _LINK_SECONDS) if redirect and method == "GET" else None
    if link is not None:
        return RedirectResponse(link, headers=PRIVATE)
    stream = store.stream(key)
    headers = PRIVATE | {"Content-Disposition": f'inline; filename="{name}"', "Content-Length": str(stream.size)}
    if method == "HEAD":
        return Response(media_type=media_type, headers=headers)
    return StreamingResponse(stream.chunks, media_type=media_type, headers=headers)
