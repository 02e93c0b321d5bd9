"""Opens the store that a URL names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import MemoryStore, from_url
from pydantic import SecretStr

from facefleet.config import Objects
from facefleet.errors.input import ConfigInvalid
from facefleet.errors.outage import StoreUnavailable
from facefleet.observability.metrics import ignore_outage
from facefleet.storage.folder import FolderStore
from facefleet.storage.presign import UploadSigner
from facefleet.storage.remote import SCHEMES, open_s3
from facefleet.storage.store import ObjectStore, Store


def open_upload_signer(url: str, objects: Objects) -> UploadSigner | None:
    """What signs uploads to the store; none where clients cannot be sent there.

    The settings must have the keys: those that obstore finds by itself (a role, an instance) sign no length. Errors are
    those of ``open_store``, which was called before.
    """
    if urlsplit(url).scheme not in SCHEMES or not objects.presign or not objects.secret_key.get_secret_value():
        return None
    return UploadSigner(open_s3(url, objects, public=True), objects.secret_key)


def link_origin(url: str, objects: Objects) -> str:
    """The origin (RFC 6454) of the store's links and of addresses for uploads; empty where it gives none.

    It is read off a link that is good for nothing: whether the bucket is in the name of the host or in the path is
    obstore's to know, and keys of nobody keep it from asking the platform for credentials.
    """
    if urlsplit(url).scheme not in SCHEMES or not objects.presign:
        return ""
    nobody = objects.model_copy(update={"access_key": SecretStr("nobody"), "secret_key": SecretStr("nobody")})
    address = urlsplit(obstore.sign(open_s3(url, nobody, public=True), "GET", "origin", timedelta(seconds=1)))
    return f"{address.scheme}://{address.netloc}"


def open_store(url: str, objects: Objects | None = None, *, on_outage: Callable[[], object] = ignore_outage) -> Store:
    """The store of a URL: ``file:///folder``, ``memory:///``, ``s3://bucket/prefix``, ``gs://…``, ``az://…``.

    Args:
        url: Where the objects are.
        objects: Endpoint, credentials, time limits and links of S3; none: the defaults.
        on_outage: Called each time that the store did not answer.

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
            return FolderStore(Path(unquote(parts.path)), on_outage=on_outage)
        if parts.scheme in SCHEMES:
            signer = open_s3(url, objects, public=True) if objects.presign else None
            return ObjectStore(open_s3(url, objects), signer=signer, on_outage=on_outage)
        return ObjectStore(from_url(url), on_outage=on_outage)
    except (BaseError, ValueError) as error:
        # Not chained: its message may quote credentials in the URL.
        raise ConfigInvalid(
            f"objects.url cannot be opened ({parts.scheme}): {type(error).__name__}.", setting="objects.url"
        ) from None
    except OSError as error:
        raise StoreUnavailable(f"The folder of the objects cannot be used: {error}.") from error
