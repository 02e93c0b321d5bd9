"""The object store: photos in, results out, over obstore (local folder, memory, S3, GCS, Azure)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, MemoryStore, from_url

from facefleet.errors import ConfigInvalid, ObjectMissing, StoreUnavailable


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

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix that ends with ``/``."""
        ...

    def check(self) -> None:
        """Ask the store for a sign of life."""
        ...


class ObjectStore:
    """A ``Store`` over any obstore backend."""

    def __init__(self, backend: obstore.store.ObjectStore) -> None:
        self._backend = backend

    def put(self, key: str, data: bytes) -> None:
        """Keep the bytes; readers see all of them or none."""
        with _outages(key):
            obstore.put(self._backend, key, data, use_multipart=False)

    def get(self, key: str) -> bytes:
        """The bytes of the object."""
        with _outages(key):
            return obstore.get(self._backend, key).bytes().to_bytes()

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""
        try:
            with _outages(key):
                obstore.delete(self._backend, key)
        except ObjectMissing:
            return

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix."""
        with _outages(prefix):
            for page in obstore.list(self._backend, prefix=prefix):
                yield from (entry["path"] for entry in page)

    def check(self) -> None:
        """Ask for an object that cannot be there."""
        with _outages("health"):
            next(iter(obstore.list(self._backend, prefix="health/", chunk_size=1)), None)


def open_store(url: str) -> ObjectStore:
    """The store of a URL: ``file:///folder``, ``memory:///``, ``s3://bucket/prefix``, ``gs://…``, ``az://…``.

    Raises:
        ConfigInvalid: obstore does not know the URL.
        StoreUnavailable: The local folder cannot be made.
    """
    parts = urlsplit(url)
    try:
        if parts.scheme == "memory":
            return ObjectStore(MemoryStore())
        if parts.scheme == "file":
            return ObjectStore(LocalStore(Path(unquote(parts.path)), mkdir=True, automatic_cleanup=True))
        return ObjectStore(from_url(url))
    except (BaseError, ValueError) as error:
        raise ConfigInvalid(
            f"objects.url cannot be opened ({parts.scheme}): {type(error).__name__}.", setting="objects.url"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"The folder of the objects cannot be used: {error.strerror}.") from error


@contextmanager
def _outages(key: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise ObjectMissing("The object is not in the store.", key=key) from error
    except (BaseError, OSError) as error:
        raise StoreUnavailable("The object store did not answer; try again.", cause=type(error).__name__) from error
