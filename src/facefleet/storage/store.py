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
    """A ``Store`` over any obstore backend.

    Args:
        backend: Of obstore.
        folder: Of a local store; when it is gone (a disk that is not mounted), nothing is missing but the store.
    """

    def __init__(self, backend: obstore.store.ObjectStore, folder: Path | None = None) -> None:
        self._backend = backend
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        """Keep the bytes; readers see all of them or none."""
        with self._outages(key):
            obstore.put(self._backend, key, data, use_multipart=False)

    def get(self, key: str) -> bytes:
        """The bytes of the object."""
        with self._outages(key):
            return obstore.get(self._backend, key).bytes().to_bytes()

    def delete(self, key: str) -> None:
        """Remove the object; no error where there is none."""
        try:
            with self._outages(key):
                obstore.delete(self._backend, key)
        except ObjectMissing:
            return

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix."""
        with self._outages(prefix):
            for page in obstore.list(self._backend, prefix=prefix):
                yield from (entry["path"] for entry in page)

    def check(self) -> None:
        """Ask for an object that cannot be there."""
        with self._outages("health"):
            next(iter(obstore.list(self._backend, prefix="health/", chunk_size=1)), None)

    @contextmanager
    def _outages(self, key: str) -> Iterator[None]:
        if self._folder and not self._folder.is_dir():
            raise StoreUnavailable("The folder of the objects is gone.", cause="NotADirectoryError")
        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectMissing("The object is not in the store.", key=key) from error
        except (BaseError, OSError) as error:
            raise StoreUnavailable("The object store did not answer; try again.", cause=type(error).__name__) from error


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
            folder = Path(unquote(parts.path))
            # Emptied folders stay: to remove one fails a put that is just making it (seen under load).
            return ObjectStore(LocalStore(folder, mkdir=True, automatic_cleanup=False), folder)
        return ObjectStore(from_url(url))
    except (BaseError, ValueError) as error:
        raise ConfigInvalid(
            f"objects.url cannot be opened ({parts.scheme}): {type(error).__name__}.", setting="objects.url"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"The folder of the objects cannot be used: {error}.") from error
