"""The object store: photos in, results out, over obstore (local folder, memory, S3, GCS, Azure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, GenericError, NotFoundError
from obstore.store import LocalStore, MemoryStore, S3Store, from_url

from facefleet.config import Objects
from facefleet.errors import ConfigInvalid, ObjectMissing, StoreUnavailable
from facefleet.observability.metrics import uncounted
from facefleet.storage.remote import SCHEMES, attributes, open_s3

_CHUNK_BYTES = 256 * 1024
_PUT_TRIES = 5
_UNFINISHED = "#"  # in the name of a file that obstore is still writing; no key of ours has it
_NO_BUCKET = "NoSuchBucket"  # S3's code; like a vanished folder it says nothing of the object


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
        folder: Of a local store; when it is gone (a disk that is not mounted), nothing is missing but the store.
        signer: The same objects under the name that clients can reach; none: no links are given.
        on_outage: Told each time that the store did not answer.
    """

    def __init__(
        self, backend: obstore.store.ObjectStore, folder: Path | None = None, signer: S3Store | None = None,
        on_outage: Callable[[], object] = uncounted,
    ) -> None:  # fmt: skip
        self._backend = backend
        self._folder = folder
        self._signer = signer
        self._on_outage = on_outage

    def put(self, key: str, data: bytes) -> None:
        """Keep the bytes; readers see all of them or none."""
        said = attributes(key, data) if isinstance(self._backend, S3Store) else None
        with self._outages():
            for again in reversed(range(_PUT_TRIES if self._folder else 1)):
                try:
                    obstore.put(self._backend, key, data, use_multipart=False, attributes=said)
                except GenericError:
                    # A neighbour's delete took the task's folder away while it was made: "File exists", no longer true.
                    if not again:
                        raise
                else:
                    return

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
        if self._folder:
            # The folder of a task goes with its last object. Those above stay: a put may be just making its own there.
            with suppress(OSError):
                (self._folder / key).parent.rmdir()

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix."""
        with self._outages():
            for page in obstore.list(self._backend, prefix=prefix):
                yield from (entry["path"] for entry in page)

    def delete_unfinished(self, before: datetime) -> int:
        """Remove what killed writers left behind; only a folder keeps such."""
        if self._folder is None:
            return 0
        with self._outages():
            halves = [path for path in self._folder.rglob(f"*{_UNFINISHED}*") if _changed(path) < before]
            for path in halves:
                path.unlink(missing_ok=True)
            return len(halves)

    def check(self) -> None:
        """Ask for an object that cannot be there."""
        with self._outages():
            next(iter(obstore.list(self._backend, prefix="health/", chunk_size=1)), None)

    def _chunks(self, found: obstore.GetResult) -> Iterator[bytes]:
        with self._outages():
            for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

    @contextmanager
    def _outages(self, absent: str | None = None) -> Iterator[None]:
        """Name what went wrong; ``absent`` is the key that may be missing where all else is well."""
        if self._folder and not self._folder.is_dir():
            self._on_outage()
            raise StoreUnavailable("The folder of the objects is gone.", cause="NotADirectoryError")
        try:
            yield
        except (BaseError, OSError) as error:
            if absent and isinstance(error, NotFoundError | FileNotFoundError) and _NO_BUCKET not in str(error):
                raise ObjectMissing("The object is not in the store.", key=absent) from error
            self._on_outage()
            raise StoreUnavailable("The object store did not answer; try again.", cause=type(error).__name__) from error


def _changed(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:  # its writer was alive, and has just finished it
        return datetime.max.replace(tzinfo=UTC)


def open_store(url: str, objects: Objects | None = None, *, on_outage: Callable[[], object] = uncounted) -> ObjectStore:
    """The store of a URL: ``file:///folder``, ``memory:///``, ``s3://bucket/prefix``, ``gs://…``, ``az://…``.

    Args:
        url: Where the objects are.
        objects: Endpoint, credentials, time limits and links of S3; none: the defaults.
        on_outage: Told each time that the store did not answer.

    Raises:
        ConfigInvalid: obstore does not know the URL, or a setting cannot be used.
        StoreUnavailable: The local folder cannot be made.
    """
    parts = urlsplit(url)
    objects = objects or Objects()
    try:
        if parts.scheme == "memory":
            return ObjectStore(MemoryStore(), on_outage=on_outage)
        if parts.scheme == "file":
            folder = Path(unquote(parts.path))
            # Its own clean-up takes all emptied folders, and fails a put that is just making one (seen under load).
            local = LocalStore(folder, mkdir=True, automatic_cleanup=False)
            return ObjectStore(local, folder, on_outage=on_outage)
        if parts.scheme in SCHEMES:
            signer = open_s3(url, objects, public=True) if objects.presign else None
            return ObjectStore(open_s3(url, objects), signer=signer, on_outage=on_outage)
        return ObjectStore(from_url(url), on_outage=on_outage)
    except (BaseError, ValueError) as error:
        # Not chained: its words may quote credentials that stand in the URL.
        raise ConfigInvalid(
            f"objects.url cannot be opened ({parts.scheme}): {type(error).__name__}.", setting="objects.url"
        ) from None
    except OSError as error:
        raise StoreUnavailable(f"The folder of the objects cannot be used: {error}.") from error
