"""Sends photos to the object store, so that a request only names them, where the server's store takes them itself."""

from __future__ import annotations

import math
from dataclasses import replace

from facefleet.client.aio.transport import AsyncTransport
from facefleet.client.photos import Content, size_of
from facefleet.client.requests import ApiRequest
from facefleet.client.uploads import Destination, Facts, announcement, destination, facts_of, sending
from facefleet.client.views import Upload, upload_view
from facefleet.errors.client import RefusedByServer, ServerUnreachable
from facefleet.errors.input import ImageTypeUnsupported, InputError, MethodNotAllowed
from facefleet.errors.lookup import RouteNotFound

_NO_UPLOADS = (RouteNotFound, MethodNotAllowed, RefusedByServer)  # a server of an earlier release


class AsyncUploader:
    """Sends the photos of one client.

    Args:
        server: Announces them there.
        store: Sends to absolute addresses, without the credentials of the server.
        from_bytes: Size from which a photo of a request goes by itself; None: never.
    """

    def __init__(self, server: AsyncTransport, store: AsyncTransport, from_bytes: int | None) -> None:
        self._server = server
        self._store = store
        self._from_bytes = from_bytes

    async def upload(self, content: Content) -> Upload:
        """Send a photo wherever the server has it sent.

        Raises:
            ImageTypeUnsupported: No server takes it.
            ServerUnreachable: The server does not answer, or the store does not take the photo.
            FacefleetError: The server refuses.
        """
        facts = facts_of(content)
        document = await self._server.document(announcement(facts))
        await self._send(destination(document), content, facts)
        return upload_view(document, facts.size)

    async def prepared(self, request: ApiRequest, until: float = math.inf) -> ApiRequest:
        """The request with its large photos uploaded; as it is where that is not possible, or saves the server nothing.

        Args:
            request: A form.
            until: When the caller gives up, by ``time.monotonic``.

        Raises:
            FacefleetError: The server refuses a photo; ``detail["field"]`` says which.
        """
        files = [(field, await self._uploaded(field, photo, until)) for field, photo in request.files]
        return replace(request, files=files)

    async def _uploaded(self, field: str, photo: Content | Upload, until: float) -> Content | Upload:
        if isinstance(photo, Upload) or self._from_bytes is None or size_of(photo) < self._from_bytes:
            return photo
        try:
            facts = facts_of(photo)
            document = await self._server.document(announcement(facts), until)
            to = destination(document)
            if to.direct:
                await self._send(to, photo, facts, until)
                return upload_view(document, facts.size)
        except ImageTypeUnsupported:  # the server says it in full
            return photo
        except _NO_UPLOADS:
            pass
        except InputError as error:
            error.detail["field"] = field  # of ours: the server names one of its announcement
            raise
        except ServerUnreachable as error:
            if error.detail.get("of") != "store":
                raise
        self._from_bytes = None  # a form is as good here, and spares the attempt next time
        return photo

    async def _send(self, to: Destination, content: Content, facts: Facts, until: float = math.inf) -> None:
        request = sending(to, content, facts)
        if not to.direct:
            await self._server.send(request, until)
            return
        try:
            await self._store.send(request, until)
        except ServerUnreachable as error:
            status = error.detail.get("http_status")
            why = f"it answered {status}" if status else "it does not answer"
            raise ServerUnreachable(
                f"The object store did not take the photo: {why}.", of="store", **error.detail
            ) from error
