"""Fetches photos that a JSON body names by URL: through the guard of ``outbound``, with the checks of uploads.

It is off until an operator allows it. Bytes are counted as they arrive and the type is known by the first of them, so
what is no photo is not read to its end. Of what came the client is told only what is wrong with it as a photo: the
service must not be a way to read what its network can read. Every fetch is in the audit log, by the host alone.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version

import httpx
from starlette.concurrency import run_in_threadpool

from facefleet.config import RemotePhotos
from facefleet.errors.base import FacefleetError, InternalError
from facefleet.errors.input import PhotoNotFetched, PhotoUrlRefused
from facefleet.gateway.intake.fetch_slots import FetchSlots
from facefleet.gateway.intake.multipart import Form
from facefleet.gateway.intake.photos import Given, Photo, PhotoUrl, UploadId
from facefleet.gateway.memory import Holding
from facefleet.media.sniff import Limits, check_arriving, check_bytes, sniff
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics
from facefleet.observability.tracing import span
from facefleet.outbound.address import UrlRefused, host_of
from facefleet.outbound.connect import Connector, NotReached, Outgoing
from facefleet.outbound.resolve import Resolver
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.records.audit_log import AuditLog
from facefleet.trust import trust_of

TOTAL_SECONDS = 20.0
SILENCE_SECONDS = 5.0  # until the first byte, and between two pieces
_LONGEST_LENGTH = 15  # digits of a Content-Length
_REDIRECTS = (
    HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)  # fmt: skip
_FETCHED = "fetched"
_HEADERS = {
    "User-Agent": f"facefleet/{version('facefleet')}",
    "Accept": "image/jpeg, image/png, image/webp, image/avif",
    "Accept-Encoding": "identity",  # what is packed could be any size when unpacked
}

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches the photos that requests name by URL, for so many requests at once.

    Attributes:
        connector: Reaches their servers; none where no photos are fetched.
        limits: Of each photo.
        audit_log: Where every fetch is written down.
        slots: Which requests may fetch.
    """

    connector: Connector | None
    limits: Limits
    metrics: Metrics
    audit_log: AuditLog
    slots: FetchSlots

    @classmethod
    def build(
        cls, settings: RemotePhotos, resolver: Resolver, limits: Limits, metrics: Metrics, audit_log: AuditLog
    ) -> Fetcher:
        """By the settings.

        Raises:
            ConfigInvalid: The file of authorities cannot be used.
        """
        trust = trust_of(settings.ca_file, "remote_photos.ca_file")
        connector = Connector(resolver, trust) if settings.enabled else None
        return cls(connector, limits, metrics, audit_log, FetchSlots(settings.concurrency))

    async def fetched(self, form: Form[Given], origin: Origin, holding: Holding) -> Form[Photo | UploadId]:
        """The form with its photos in place of their URLs, fetched one after the other.

        Args:
            form: As its client gave it; whatever can be refused without these photos has been.
            origin: Who asks, and whose share of the slots it takes.
            holding: The bytes of the request, which the photo is counted among until the answer.

        Raises:
            PhotoUrlRefused: Nothing is fetched from there, or at all; ``field`` and ``number`` say which photo.
            PhotoNotFetched: Its server gives no such file, or not in time.
            ImageError: The file cannot be used.
            Overloaded: Too many are fetched just now, or there is no room for it.
            RecordsUnavailable: It could not be written down.
        """
        photos = dict[str, Photo | UploadId]()
        with self.slots.taken(origin.tenant):
            for role, photo in form.photos.items():
                photos[role] = await self._fetch(photo, origin, holding) if isinstance(photo, PhotoUrl) else photo
        return Form(photos, form.texts)

    async def _fetch(self, photo: PhotoUrl, origin: Origin, holding: Holding) -> Photo:
        with photo.place.named():
            connector = self._connector()
            async with self._recorded(host_of(photo.url), origin):
                data = await self._file(connector, photo.url, holding)
                return Photo(data, sniff(data, self.limits))

    def _connector(self) -> Connector:
        if self.connector is None:
            raise PhotoUrlRefused(
                "This service fetches no photos; send the file itself, or ask its operator for remote photos.",
                reason="not enabled",
            )
        return self.connector

    async def _file(self, connector: Connector, url: str, holding: Holding) -> bytes:
        request = Outgoing("GET", url, _HEADERS, TOTAL_SECONDS, SILENCE_SECONDS, _REDIRECTS)
        try:
            async with connector.send(request) as response:
                if response.status_code != HTTPStatus.OK:
                    raise NotReached(f"status {response.status_code}")
                return await self._body(response, holding)
        except UrlRefused as error:
            raise PhotoUrlRefused(error.words("url", "photo"), **error.detail) from None
        except NotReached as error:
            raise PhotoNotFetched(f"The photo could not be fetched: {error}.", reason=str(error)) from None

    async def _body(self, response: httpx.Response, holding: Holding) -> bytes:
        """Read a body into room that was taken for it before."""
        announced = response.headers.get("content-length", "")
        known = announced.isascii() and announced.isdigit() and len(announced) <= _LONGEST_LENGTH
        room = int(announced) if known else self.limits.max_bytes
        check_bytes(room, self.limits)
        holding.take(room)
        data = bytearray()
        async for chunk in response.aiter_raw():
            before = len(data)
            data += chunk
            check_arriving(data, before, self.limits)
        holding.give_back(room - len(data))
        return bytes(data)

    @asynccontextmanager
    async def _recorded(self, host: str, origin: Origin) -> AsyncIterator[None]:
        """Count, log and audit what becomes of a fetch; its URL has secrets, so only the host is told."""
        began, code = time.perf_counter(), str(InternalError.code)
        with span("photo.fetch") as fetching:
            fetching.set(host=host)
            try:
                yield
                code = _FETCHED
            except FacefleetError as error:
                code = error.code
                raise
            finally:
                ms = round((time.perf_counter() - began) * 1000)
                refused = None if code == _FETCHED else code
                self.metrics.remote_photos.labels(code).inc()
                if refused:
                    _log.info("photo.not_fetched", host=host, code=refused, ms=ms)
                else:
                    _log.info("photo.fetched", host=host, ms=ms)
                await run_in_threadpool(self.audit_log.record, origin, Action.PHOTO_FETCH, host, refused=refused)
