"""Defines the object store, and keeps objects in memory, on S3, GCS and Azure through obstore."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from facefleet.errors.outage import StoreUnavailable
from facefleet.errors.task import ObjectMissing
from facefleet.media.sniff import HEAD_BYTES
from facefleet.observability.metrics import ignore_outage
from facefleet.storage.keys import HEALTH
from facefleet.storage.remote import attributes

CHUNK_BYTES = 256 * 1024
_NO_BUCKET = "NoSuchBucket"  # S3's code for a missing bucket: no statement about the object


@dataclass(frozen=True, slots=True)
class Download:
    """An object that is being read.

    Attributes:
        size: Bytes of the whole object.
        chunks: Its bytes in order; raises ``StoreUnavailable`` when the store goes away before the last.
    """

    size: int
    chunks: Iterator[bytes]


Content = bytes | BinaryIO | Iterable[bytes]


def pieces_of(content: Content) -> Iterator[bytes]:
    """The bytes of the content, piece by piece."""
    if isinstance(content, bytes):
        yield content
    elif (read := getattr(content, "read", None)) is not None:  # iterating over a file yields lines
        while piece := read(CHUNK_BYTES):
            yield piece
    else:
        yield from content


class _Source:
    """The pieces of an upload whose first bytes are read before it begins.

    Attributes:
        error: The exception that the pieces raised, if any.
    """

    def __init__(self, content: Content) -> None:
        self._pieces = pieces_of(content)
        self._first = b""
        self.error: Exception | None = None

    def head(self, count: int) -> bytes:
        """The first bytes: at least ``count`` of them, or all."""
        while len(self._first) < count and (piece := next(self._pieces, None)) is not None:
            self._first += piece
        return self._first

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield self._first
            yield from self._pieces
        except Exception as error:
            self.error = error
            raise


class Store(Protocol):
    """Objects by key. Every method raises ``StoreUnavailable`` when the store does not answer."""

    def put(self, key: str, content: Content) -> None:
        """Keep the bytes; readers see all of them or none.

        Args:
            key: Of the object; what it held before is replaced.
            content: All bytes at once, or a file or pieces that are never all in memory. Their exceptions are
                raised unchanged, and nothing is kept.
        """
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
        """A URL by which anybody can read the object for ``seconds``; none where the store gives no links.

        Raises:
            ObjectMissing: No such object.
        """
        ...

    def copy(self, key: str, to: str) -> None:
        """Keep the bytes under another key, too; readers see all of them or none.

        What becomes of the first object afterwards changes nothing of the second.

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

    def tidy(self, before: datetime) -> int:
        """Remove unfinished objects and empty folders that were last changed before ``before``.

        Returns:
            How many unfinished objects of killed writers were removed; empty folders are not counted.
        """
        ...

    def check(self) -> None:
        """Check that the store answers."""
        ...


class ObjectStore:
    """A ``Store`` over any obstore backend.

    Args:
        backend: Of obstore.
        signer: The same objects at the endpoint that clients can reach; none: no links are given.
        on_outage: Called each time that the store did not answer.
    """

    def __init__(
        self, backend: obstore.store.ObjectStore, signer: S3Store | None = None,
        on_outage: Callable[[], object] = ignore_outage,
    ) -> None:  # fmt: skip
        self._backend = backend
        self._signer = signer
        self._on_outage = on_outage

    def put(self, key: str, content: Content) -> None:
        """Keep the bytes; readers see all of them or none."""
        if isinstance(content, bytes):
            with self._outages():
                obstore.put(self._backend, key, content, use_multipart=False, attributes=self._attributes(key, content))
            return
        source = _Source(content)
        head = source.head(HEAD_BYTES)
        try:
            with self._outages():
                obstore.put(self._backend, key, source, use_multipart=True, attributes=self._attributes(key, head))
        except Exception:
            if source.error is not None:  # obstore wraps it in an error of its own
                raise source.error from None
            raise

    def _attributes(self, key: str, head: bytes) -> dict[str, str] | None:
        return attributes(key, head) if isinstance(self._backend, S3Store) else None

    def get(self, key: str) -> bytes:
        """The bytes of the object."""
        with self._outages(key):
            return obstore.get(self._backend, key).bytes().to_bytes()

    def stream(self, key: str) -> Download:
        """The bytes piece by piece."""
        with self._outages(key):
            response = obstore.get(self._backend, key)
            return Download(response.meta["size"], self._chunks(response))

    def link(self, key: str, seconds: float) -> str | None:
        """A signed URL, where the store can."""
        if self._signer is None:
            return None
        with self._outages(key):
            obstore.head(
                self._backend, key
            )  # without this, the client would get the store's own error for a missing object
            return obstore.sign(self._signer, "GET", key, timedelta(seconds=seconds))

    def copy(self, key: str, to: str) -> None:
        """Have the store copy the object."""
        with self._outages(key):
            obstore.copy(self._backend, key, to)

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

    def tidy(self, before: datetime) -> int:  # noqa: ARG002
        """Do nothing: an object appears when it is complete, there are no folders, and no listing shows parts."""
        return 0

    def check(self) -> None:
        """List a prefix that holds no objects."""
        with self._outages():
            next(iter(obstore.list(self._backend, prefix=HEALTH, chunk_size=1)), None)

    def _chunks(self, response: obstore.GetResult) -> Iterator[bytes]:
        with self._outages():
            for chunk in response.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    @contextmanager
    def _outages(self, absent: str | None = None) -> Iterator[None]:
        """Raise errors of ours; ``absent`` is a key whose absence is ``ObjectMissing`` and no outage."""
        try:
            yield
        except (BaseError, OSError) as error:
            if absent and isinstance(error, NotFoundError | FileNotFoundError) and _NO_BUCKET not in str(error):
                raise ObjectMissing("The object is not in the store.", key=absent) from error
            self._on_outage()
            raise StoreUnavailable("The object store did not answer; try again.", cause=type(error).__name__) from error
