"""Announces uploads, takes those that come through the gateway, and finds those that a request names.

Where the store can take a photo from its client, the answer is a signed address of the store, and the bytes never pass
through here. Elsewhere (a folder, a store whose keys are not in the settings) it is an address of this gateway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from facefleet.clock import Clock, now
from facefleet.gateway.caller import Caller
from facefleet.gateway.intake.multipart import Form, drop
from facefleet.gateway.intake.photos import Photo, Place, UploadedPhoto, UploadId, Usable, digest_of, mismatch
from facefleet.gateway.parts import Parts
from facefleet.media.sniff import ImageType, Limits, check_bytes, sniff
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics
from facefleet.storage.keys import upload_key
from facefleet.storage.presign import SignedUpload, UploadSigner
from facefleet.storage.store import Store
from facefleet.tasks.ids import new_id
from facefleet.tasks.uploads import Upload, UploadRecords

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadIntake:
    """Takes photos apart from the requests that use them. Its methods but ``receive`` block.

    Attributes:
        records: What was announced.
        store: Where the photos go.
        signer: Signs addresses of the store; none: photos come through the gateway.
        limits: Of each photo.
        kept: From the announcement until it is over.
    """

    records: UploadRecords
    store: Store
    signer: UploadSigner | None
    limits: Limits
    metrics: Metrics
    clock: Clock
    kept: timedelta

    @classmethod
    def build(cls, parts: Parts, limits: Limits, kept: timedelta) -> UploadIntake:
        """On the records and the store of this gateway."""
        records = UploadRecords(parts.database, now)
        return cls(records, parts.store, parts.upload_signer, limits, parts.metrics, now, kept)

    def announce(
        self, caller: Caller, *, size: int, media_type: ImageType, sha256: str
    ) -> tuple[Upload, SignedUpload | None]:
        """Write down what will be uploaded; gives the address of the store, if that takes it.

        Raises:
            ImageTooLargeBytes: It is over the limit of a photo.
            OutageError: Records or store are away.
        """
        with Place("size").named():
            check_bytes(size, self.limits)
        announced_at = self.clock()
        upload = Upload(
            id=new_id(), tenant=caller.tenant, subject=caller.subject, size=size, media_type=media_type.value,
            sha256=sha256, created_at=announced_at, expires_at=announced_at + self.kept,
        )  # fmt: skip
        self.records.add(upload, caller.origin)
        self.metrics.uploads.labels("announced").inc()
        if self.signer is None:
            return upload, None
        key = upload_key(upload.tenant, upload.id)
        return upload, self.signer.sign(
            key, size=size, media_type=media_type.value, sha256=sha256, seconds=self.kept.total_seconds()
        )  # fmt: skip

    async def receive(self, upload: Upload, headers: Mapping[str, str], stream: AsyncIterator[bytes]) -> bytes:
        """Read the body of an upload that comes through the gateway, if its headers are those of the announcement.

        A store refuses others by its signature over them, so a client that works here works there.

        It is held until it is whole, as a photo of a form is: to hand it to the store piece by piece would take a
        thread for as long as its client likes.

        Raises:
            UploadMismatch: It has another type or size than was announced, or does not say its size.
        """
        for name, announced in (("content-length", str(upload.size)), ("content-type", upload.media_type)):
            said = headers.get(name, "").strip().lower()
            if said != announced:
                await drop(stream)
                raise mismatch(upload, f"its {name} is {ascii(said)[:64]}, and {announced} was announced", header=name)
        data = bytearray()
        async for chunk in stream:
            data += chunk
            if len(data) > upload.size:
                await drop(stream)
                break
        if len(data) != upload.size:
            raise mismatch(upload, f"it does not have the {upload.size:,} bytes that were announced")
        return bytes(data)

    def keep(self, upload: Upload, data: bytes) -> None:
        """Put what came into the store, if it is what was announced.

        Raises:
            UploadMismatch: It has another type or digest.
            ImageError: The photo cannot be used.
            StoreUnavailable: The store does not answer.
        """
        if digest_of(data) != upload.sha256:
            raise mismatch(upload, "its SHA-256 is not the one that was announced")
        header = sniff(data, self.limits)
        if header.type.value != upload.media_type:
            raise mismatch(upload, f"it is {header.type.value} and {upload.media_type} was announced")
        self.store.put(upload_key(upload.tenant, upload.id), data)
        self.metrics.uploads.labels("received").inc()
        _log.info("upload.received", upload_id=upload.id, bytes=len(data))

    def found(self, caller: Caller, form: Form[Photo | UploadId]) -> Form[Usable]:
        """The form with the uploads that it names in place of their ids.

        Raises:
            UploadNotFound: There is none of an id; ``field`` and ``number`` say which photo.
            RecordsUnavailable: The records are away.
        """
        photos: Mapping[str, Usable] = {
            role: self._find(caller, photo) if isinstance(photo, UploadId) else photo
            for role, photo in form.photos.items()
        }
        return Form(photos, form.texts)

    def _find(self, caller: Caller, named: UploadId) -> UploadedPhoto:
        with named.place.named():
            return UploadedPhoto(named.place, self.records.get(caller.tenant, named.id), self.limits)
