"""Offers the API of a server as methods: photos go in; tasks, templates and batches come out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, suppress
from datetime import date, datetime
from types import TracebackType
from typing import Unpack

import httpx

from facefleet.client import arguments, requests, views
from facefleet.client.aio.batch import AsyncBatch
from facefleet.client.aio.keys import AsyncKeys
from facefleet.client.aio.task import AsyncTask
from facefleet.client.aio.template import AsyncTemplate
from facefleet.client.aio.transport import AsyncTransport
from facefleet.client.aio.uploader import AsyncUploader
from facefleet.client.batches import batch_view
from facefleet.client.consent import Consent
from facefleet.client.faces import Face, faces
from facefleet.client.photos import Photo, Usable, content
from facefleet.client.requests import Webhook
from facefleet.client.responses import Document
from facefleet.client.retry_policy import Patience, now
from facefleet.client.templates import template_view
from facefleet.client.uploads import UPLOAD_FROM_BYTES
from facefleet.client.views import AuditEntry, Upload, Usage
from facefleet.errors.input import OptionInvalid
from facefleet.errors.lookup import UploadNotFound
from facefleet.options import FuseChoices


class AsyncClient:
    """Talks to one facefleet server.

    Every method raises ``ServerUnreachable`` when nothing that is a gateway answers, and the server's own error, a
    class of ``facefleet.errors``, when it refuses. What may pass is tried again; that never makes anything twice.

    Args:
        url: Of the server, such as ``http://127.0.0.1:8080``.
        api_key: Sent as a bearer token, to this server only.
        timeout: s for connecting, and for each wait for bytes of a response.
        patience: How long to try again while the server is away or refuses for the moment.
        http: A client of your own, for proxies or certificates; you close it.
        upload_from: Bytes from which a photo of ``fuse`` and ``faces`` goes to the server's object store by itself,
            where that takes photos from clients; None: never.

    Raises:
        OptionInvalid: An argument has the wrong type or form.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8080", api_key: str | None = None, *, timeout: float = 30.0,
        patience: Patience | None = None, http: httpx.AsyncClient | None = None,
        upload_from: int | None = UPLOAD_FROM_BYTES,
    ) -> None:  # fmt: skip
        address, authorization = arguments.server_url(url), arguments.authorization(api_key)
        read_timeout = arguments.seconds("timeout", timeout)
        if http is not None and not isinstance(http, httpx.AsyncClient):
            raise OptionInvalid("http must be an httpx.AsyncClient.", option="http")
        self._http = httpx.AsyncClient() if http is None else http
        self._owns_http = http is None
        patience = patience or Patience()
        self._transport = AsyncTransport(address, authorization, self._http, read_timeout, patience)
        store = AsyncTransport("", None, self._http, read_timeout, patience)
        self._uploader = AsyncUploader(self._transport, store, arguments.size("upload_from", upload_from))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        if self._owns_http:
            await self._http.aclose()

    @property
    def keys(self) -> AsyncKeys:
        """The API keys of your tenant: make, list, rotate, revoke them."""
        return AsyncKeys(self._transport)

    async def fuse(
        self, source: Usable, target: Usable | None = None, *, consent: bool | Consent,
        template: AsyncTemplate | str | None = None,
        more_sources: Sequence[Usable] = (), wait: float | None = None, idempotency_key: str | None = None,
        webhook_url: str | None = None, webhook_events: Sequence[str] | None = None, **options: Unpack[FuseChoices],
    ) -> AsyncTask:  # fmt: skip
        """Have the face of one photo fused into another.

        Args:
            source: Whose face to take: bytes, a path, a file open in binary mode, or an ``Upload``.
            target: Where to put it.
            consent: You attest that the people shown in the photos agree, by True or by a `Consent`; the server
                keeps it. There is no default.
            template: A registered target that is ready, or its id, instead of ``target``.
            more_sources: Sources 1, 2, …; ``source`` is number 0.
            wait: s that the response may wait for the end of the task, at most 30; none by default.
            idempotency_key: A request with the same key and the same content finds the task it has made before.
            webhook_url: Where the server reports the task; ``webhooks.verify`` reads its messages.
            webhook_events: States to report; the terminal ones where not given.
            options: How to fuse, as `FuseChoices` lists it; the server's defaults where not given.

        Returns:
            The task, which may not have ended: ``wait`` for it.

        Raises:
            ConsentRequired: ``consent`` is False; nothing was sent.
            FileUnreadable: A path that is no readable file.
            OptionInvalid: An argument cannot be sent; nothing was.
            FacefleetError: The server refuses.
        """
        chosen = requests.fuse_options(options)
        photos = {
            "source": [source, *arguments.several("more_sources", more_sources)],
            "target": [] if target is None else [target],
        }
        request = requests.fusion(
            photos, chosen, Webhook(url=webhook_url, events=webhook_events), consent=consent, wait=wait,
            key=idempotency_key, template_id=None if template is None else _id_of(template),
        )  # fmt: skip
        return self._task(await self._transport.document(await self._uploader.prepared(request)))

    async def upload(self, photo: Photo) -> Upload:
        """Send a photo once that several requests will name; it is kept for a time that the server sets (an hour).

        It goes to the server's object store itself where that takes it, else through the server. ``fuse`` and
        ``faces`` do so by themselves with large photos; ``register`` and ``batch`` take no uploads.

        Args:
            photo: Bytes, a path, or a file open in binary mode.

        Raises:
            FileUnreadable: A path that is no readable file.
            ImageTypeUnsupported: It is no photo that a server takes; nothing was sent.
            ServerUnreachable: The server does not answer, or the store does not take the photo.
            FacefleetError: The server refuses.
        """
        return await self._uploader.upload(content("photo", photo))

    async def withdraw(self, upload: Upload | str) -> None:
        """Have the server delete an upload, before its time is over; tasks that named it keep copies of their own.

        Args:
            upload: It, or its id; one that is gone already is no error.

        Raises:
            ServerUnreachable: The server does not answer.
            FacefleetError: The server refuses.
        """
        with suppress(UploadNotFound):  # the answer to an earlier attempt may be lost
            await self._transport.send(requests.withdrawal(upload.id if isinstance(upload, Upload) else upload))

    async def task(self, task_id: str) -> AsyncTask:
        """A task by its id.

        Raises:
            TaskNotFound: There is none, or it is not yours.
        """
        return self._task(await self._transport.document(requests.task(task_id)))

    async def tasks(
        self, *, state: str | None = None, kind: str | None = None,
        created_after: datetime | None = None, created_before: datetime | None = None, batch: str | None = None,
    ) -> AsyncGenerator[AsyncTask, None]:  # fmt: skip
        """Your tasks, the newest first, page by page as they are asked for.

        Args:
            state: Only those in it.
            kind: Only those of it, such as ``fuse``.
            created_after: With its time zone.
            created_before: With its time zone.
            batch: Only the items of this batch, in their order.
        """
        request = requests.tasks(
            state=state, kind=kind, created_after=created_after, created_before=created_before, batch=batch
        )
        async with aclosing(self._transport.pages(request, "tasks")) as documents:
            async for document in documents:
                yield self._task(document)

    async def faces(self, image: Usable, *, tiles: bool = False, timeout: float = 60.0) -> list[Face]:
        """The faces of a photo, the largest first; none is an empty list. Nothing of the photo is kept.

        Args:
            image: Bytes, a path, a file open in binary mode, or an ``Upload``.
            tiles: As of ``fuse``; it numbers faces anew.
            timeout: s to wait at most.

        Raises:
            WaitTimeout: They were not found in time.
            FacefleetError: The server refuses, or the photo cannot be read.
        """
        until = now() + arguments.seconds("timeout", timeout)
        form = requests.faces(image, tiles=tiles, timeout=timeout)
        request = await self._uploader.prepared(form, until)
        task = await self._task(await self._transport.document(request, until)).wait(max(0.0, until - now()))
        return faces((task.view.output or {}).get("faces", ()))

    async def register(
        self, image: Photo, *, consent: bool | Consent, name: str | None = None,
        wait: float | None = None, idempotency_key: str | None = None,
    ) -> AsyncTemplate:  # fmt: skip
        """Register a target that many photos will be fused into. It is kept until it is deleted.

        Args:
            image: Bytes, a path, or a file open in binary mode.
            consent: You attest that the people shown in the photo agree, by True or by a `Consent`; the server
                keeps it. There is no default.
            name: In your own words, at most 255 characters.
            wait: As of ``fuse``.
            idempotency_key: A request with the same key and the same content finds the template it has made before.

        Returns:
            The template, which may not be ready: ``wait`` for it.

        Raises:
            ConsentRequired: ``consent`` is False; nothing was sent.
            FileUnreadable: A path that is no readable file.
            FacefleetError: The server refuses.
        """
        request = requests.registration(image, consent=consent, name=name, wait=wait, key=idempotency_key)
        return self._template(await self._transport.document(request))

    async def template(self, template_id: str) -> AsyncTemplate:
        """A template by its id.

        Raises:
            TemplateNotFound: There is none, it was deleted, or it is not yours.
        """
        return self._template(await self._transport.document(requests.template(template_id)))

    async def templates(self) -> AsyncGenerator[AsyncTemplate, None]:
        """Your templates, the newest first, page by page as they are asked for."""
        async with aclosing(self._transport.pages(requests.first_page("templates"), "templates")) as documents:
            async for document in documents:
                yield self._template(document)

    async def batch(
        self, *, consent: bool | Consent, source: Photo | None = None, sources: Iterable[Photo] = (),
        target: Photo | None = None, targets: Iterable[Photo] = (),
        template: AsyncTemplate | str | None = None, templates: Iterable[AsyncTemplate | str] = (),
        idempotency_key: str | None = None, **options: Unpack[FuseChoices],
    ) -> AsyncBatch:  # fmt: skip
        """Have one face fused into many targets, or many faces into one. One item that cannot be taken refuses all.

        Photos that are given as paths are read as they are sent, one at a time. Options are those of ``fuse``, the same
        for every item.

        Args:
            consent: You attest that the people shown in the photos agree, by True or by a `Consent`; the server
                keeps it. There is no default.
            source: Whose face to take, for every item.
            sources: Whose faces to take, one for each item.
            target: Where to put them, for every item.
            targets: Where to put it, one for each item.
            template: A registered target that is ready, or its id, for every item.
            templates: The same, one for each item.
            idempotency_key: A request with the same key and the same content finds the batch it has made before.
            options: How to fuse, as `FuseChoices` lists it.

        Returns:
            The batch, whose items may not have ended: ``wait`` for it.

        Raises:
            ConsentRequired: ``consent`` is False; nothing was sent.
            FileUnreadable: A path that is no readable file; nothing was sent.
            RequestError: It is neither one source for many targets nor one target for many sources.
            FacefleetError: The server refuses; ``detail["field"]`` and ``detail["number"]`` say which photo.
        """
        chosen = requests.fuse_options(options)
        photos = {
            "source": requests.several("source", source, sources),
            "target": requests.several("target", target, targets),
        }
        template_ids = [_id_of(one) for one in requests.several("template", template, templates)]
        request = requests.batch(photos, template_ids, chosen, consent=consent, key=idempotency_key)
        return self._batch(await self._transport.document(request))

    async def get_batch(self, batch_id: str) -> AsyncBatch:
        """A batch by its id.

        Raises:
            BatchNotFound: There is none, or it is not yours.
        """
        return self._batch(await self._transport.document(requests.of_batch(batch_id)))

    async def batches(self) -> AsyncGenerator[AsyncBatch, None]:
        """Your batches, the newest first, page by page as they are asked for."""
        async with aclosing(self._transport.pages(requests.first_page("batches"), "batches")) as documents:
            async for document in documents:
                yield self._batch(document)

    async def usage(
        self, first: date | None = None, last: date | None = None, *, by_credential: bool = False,
        tenant: str | None = None, every_tenant: bool = False,
    ) -> Usage:  # fmt: skip
        """Fetch what you have used, by day and kind.

        Args:
            first: UTC; 30 days up to ``last`` where not given.
            last: UTC; today where not given.
            by_credential: By key or token, too.
            tenant: What it has used; for operators.
            every_tenant: What each tenant has used; for operators.

        Raises:
            NotPermitted: You are no operator.
        """
        request = requests.usage(
            first, last, by_credential=by_credential, tenant=tenant, every_tenant=every_tenant
        )  # fmt: skip
        return views.usage(await self._transport.document(request))

    async def audit(
        self, *, actor: str | None = None, action: str | None = None, object: str | None = None,  # noqa: A002
        after: datetime | None = None, before: datetime | None = None, tenant: str | None = None,
        every_tenant: bool = False,
    ) -> AsyncGenerator[AuditEntry, None]:  # fmt: skip
        """Who did what to the objects of your tenant, the newest first, page by page as it is asked for.

        Args:
            actor: Only what this subject asked for.
            action: Only this, such as ``result.read``.
            object: Only what was done to this task, template, batch, lane, …
            after: With its time zone; inclusive.
            before: With its time zone; exclusive.
            tenant: Only about its objects; for operators.
            every_tenant: About everybody's objects; for operators.

        Raises:
            NotPermitted: You are no auditor, or no operator.
        """
        request = requests.audit(
            every_tenant=every_tenant, actor=actor, action=action, object=object, after=after, before=before,
            tenant=tenant,
        )  # fmt: skip
        async with aclosing(self._transport.pages(request, "entries")) as documents:
            async for document in documents:
                yield views.audit_entry(document)

    def _task(self, document: Document) -> AsyncTask:
        return AsyncTask(self._transport, views.task_view(document))

    def _template(self, document: Document) -> AsyncTemplate:
        return AsyncTemplate(self._transport, template_view(document))

    def _batch(self, document: Document) -> AsyncBatch:
        return AsyncBatch(self._transport, batch_view(document))


def _id_of(template: AsyncTemplate | str) -> str:
    return template.id if isinstance(template, AsyncTemplate) else arguments.text("template", template)
