"""The object store: photos in, results out; over obstore in memory, on S3, GCS and Azure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from facefleet.errors.outage import StoreUnavailable
from facefleet.errors.task import ObjectMissing
from facefleet.observability.metrics import ignore_outage
from facefleet.storage.remote import attributes

CHUNK_BYTES = 256 * 1024
_NO_BUCKET = "NoSuchBucket"  # S3's code; it says nothing of the object


@dataclass(frozen=True, slots=True)
class Download:
    """An object on its way.

    Attributes:
        size: Bytes of the whole object.
        chunks: Its bytes in order; raises ``StoreUnavailable`` when the store goes away before the last.
    """

    size: int
    chunks: Iterator[bytes]


class Store(Protocol):
    """Objects by key. Every method raises ``StoreUnavailable`` when the store does not answer."""

    def put(self, key: str, data: bytes) -> None:
        """Keep the bytes; readers see all of them or none."""
        ...

    def get(self, key: str) -> bytes:
        """The bytes.

        Raises:
            ObjectMissing: No such object.
        """
        ...

    def stream(self, key: str) -> Download:
        """The bytes piece by piece, never all in memory.

        Raises:
            ObjectMissing: No such object.
        """
        ...

    def link(self, key: str, seconds: float) -> str | None:
        """A URL by which anybody can read the object for so long; none where the store gives no links.

        Raises:
            ObjectMissing: No such object.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix that ends with ``/``."""
        ...

    def delete_unfinished(self, before: datetime) -> int:
        """Remove what killed writers left behind and no list shows; how many there were."""
        ...

    def check(self) -> None:
        """Ask the store for a sign of life."""
        ...


class ObjectStore:
    """A ``Store`` over any obstore backend.

    Args:
        backend: Of obstore.
        signer: The same objects under the name that clients can reach; none: no links are given.
        on_outage: Told each time that the store did not answer.
    """

    def __init__(
        self, backend: obstore.store.ObjectStore, signer: S3Store | None = None,
        on_outage: Callable[[], object] = ignore_outage,
    ) -> None:  # fmt: skip
        self._backend = backend
        self._signer = signer
        self._on_outage = on_outage

    def put(self, key: str, data: bytes) -> None:
        """Keep the bytes; readers see all of them or none."""
        said = attributes(key, data) if isinstance(self._backend, S3Store) else None
        with self._outages():
            obstore.put(self._backend, key, data, use_multipart=False, attributes=said)

    def get(self, key: str) -> bytes:
        """The bytes of the object."""
        with self._outages(key):
            return obstore.get(self._backend, key).bytes().to_bytes()

    def stream(self, key: str) -> Download:
        """The bytes piece by piece."""
        with self._outages(key):
            found = obstore.get(self._backend, key)
            return Download(found.meta["size"], self._chunks(found))

    def link(self, key: str, seconds: float) -> str | None:
        """A signed URL, where the store can."""
        if self._signer is None:
            return None
        with self._outages(key):
            obstore.head(self._backend, key)  # a link to what is not there would be told to the client by the store
            return obstore.sign(self._signer, "GET", key, timedelta(seconds=seconds))

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""
        try:
            with self._outages(key):
                obstore.delete(self._backend, key)
        except ObjectMissing:
            pass

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix."""
        with self._outages():
            for page in obstore.list(self._backend, prefix=prefix):
                yield from (entry["path"] for entry in page)

    def delete_unfinished(self, before: datetime) -> int:  # noqa: ARG002
        """None: an object is there when all of it has arrived."""
        return 0

    def check(self) -> None:
        """Ask for an object that cannot be there."""
        with self._outages():
            next(iter(obstore.list(self._backend, prefix="health/", chunk_size=1)), None)

    def _chunks(self, found: obstore.GetResult) -> Iterator[bytes]:
        with self._outages():
            for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    @contextmanager
    def _outages(self, absent: str | None = None) -> Iterator[None]:
        """Name what went wrong; ``absent`` is the key that may be missing where all else is well."""
        try:
            yield
        except (BaseError, OSError) as error:
            if absent and isinstance(error, NotFoundError | FileNotFoundError) and _NO_BUCKET not in str(error):
                raise ObjectMissing("The object is not in the store.", key=absent) from error
            self._on_outage()
            raise StoreUnavailable("The object store did not answer; try again.", cause=type(error).__name__) from error
