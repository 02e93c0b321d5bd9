"""A picture on its way to whoever may have it: through the gateway, or by a link where the store gives links."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import RedirectResponse, StreamingResponse

from facefleet.storage.store import Store

PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_LINK_SECONDS = 300.0  # enough to begin a download; it goes on after that


def download(store: Store, key: str, media_type: str, name: str, method: str) -> Response:
    """The answer to a request for an object.

    Args:
        store: Where it is.
        key: Of the object.
        media_type: Of its content.
        name: Of the file to be.
        method: ``GET`` or ``HEAD``.

    Raises:
        ObjectMissing: It is not there.
        StoreUnavailable: The store does not answer.
    """
    # A signed link is good for one method, and that is GET.
    link = store.link(key, _LINK_SECONDS) if method == "GET" else None
    if link is not None:
        return RedirectResponse(link, headers=PRIVATE)
    found = store.stream(key)
    headers = PRIVATE | {"Content-Disposition": f'inline; filename="{name}"', "Content-Length": str(found.size)}
    if method == "HEAD":
        return Response(media_type=media_type, headers=headers)
    return StreamingResponse(found.chunks, media_type=media_type, headers=headers)
