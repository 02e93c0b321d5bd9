"""Says what a photo of a request can be, and puts it under the key of its task: bytes, or what was uploaded before.

An upload is copied first and checked afterwards. The copy is the task's own, nobody has an address for it, so what is
checked is what will be used, whatever is written over the upload meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from facefleet.errors.base import FacefleetError
from facefleet.errors.conflict import UploadIncomplete
from facefleet.errors.input import ImageDecodeFailed, UploadMismatch
from facefleet.errors.task import ObjectMissing
from facefleet.media.sniff import Header, Limits, check_bytes, sniff, sniff_start
from facefleet.storage.keys import upload_key
from facefleet.storage.store import Store
from facefleet.tasks.uploads import Upload


def digest_of(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a request a photo is: its field, and of several its number, from 0."""

    name: str
    number: int | None = None

    @contextmanager
    def named(self) -> Iterator[None]:
        """Add to an error which photo it is about."""
        try:
            yield
        except FacefleetError as error:
            error.detail["field"] = self.name
            if self.number is not None:
                error.detail["number"] = self.number
            raise


@dataclass(frozen=True, slots=True)
class UploadId:
    """A photo that a request names by the id of its upload."""

    place: Place
    id: str


@dataclass(frozen=True, slots=True)
class PhotoUrl:
    """A photo that is still somewhere else."""

    place: Place
    url: str = field(repr=False)  # it may have secrets


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo that came with its request, and what its header says."""

    data: bytes = field(repr=False)  # neither logs nor tracebacks show a photo
    header: Header

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal."""
        return digest_of(self.data)

    def keep(self, store: Store, key: str) -> None:
        """Put it under a key."""
        store.put(key, self.data)


@dataclass(frozen=True, slots=True)
class UploadedPhoto:
    """One photo that was uploaded before; its size and digest are what its client said.

    Attributes:
        place: In the request.
        upload: Names the object.
        limits: Of the photo.
    """

    place: Place
    upload: Upload
    limits: Limits

    @property
    def size(self) -> int:
        """Bytes."""
        return self.upload.size

    @property
    def digest(self) -> str:
        """SHA-256 as announced, in hexadecimal; the worker checks it when it reads the photo."""
        return self.upload.sha256

    def keep(self, store: Store, key: str) -> None:
        """Copy it to a key, and check the copy: its size, and by its first bytes its type and pixels.

        Raises:
            UploadIncomplete: It has not come.
            UploadMismatch: It has another size or type than was announced.
            ImageError: It cannot be used.
            StoreUnavailable: The store does not answer.
        """
        with self.place.named():
            try:
                store.copy(upload_key(self.upload.tenant, self.upload.id), key)
            except ObjectMissing:
                raise UploadIncomplete(
                    "The photo of this upload has not come yet; send it, then the request again.",
                    upload_id=self.upload.id,
                ) from None  # fmt: skip
            self._check(store, key)

    def _check(self, store: Store, key: str) -> None:
        copy = store.stream(key)
        if copy.size != self.upload.size:
            raise mismatch(self.upload, f"it has {copy.size:,} bytes and {self.upload.size:,} were announced")
        check_bytes(copy.size, self.limits)
        header = _header_of(copy.chunks, copy.size, self.limits)
        if header.type.value != self.upload.media_type:
            raise mismatch(self.upload, f"it is {header.type.value} and {self.upload.media_type} was announced")


Given = Photo | UploadId | PhotoUrl
"""A photo as a request gives it."""
Usable = Photo | UploadedPhoto
"""A photo whose size and digest are known."""


def mismatch(upload: Upload, why: str, **where: str) -> UploadMismatch:
    """The refusal of a photo that is not what was announced; ``where`` names a header that tells it."""
    return UploadMismatch(f"The uploaded file is another one: {why}.", upload_id=upload.id, **where)


def _header_of(chunks: Iterator[bytes], size: int, limits: Limits) -> Header:
    """Read as many of the first bytes as the header needs; most photos need one piece.

    Raises:
        ImageError: The photo cannot be used.
    """
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) == size:
            break
        try:
            return sniff_start(start, limits)
        except ImageDecodeFailed:  # its header may go on
            continue
    return sniff(start, limits)
