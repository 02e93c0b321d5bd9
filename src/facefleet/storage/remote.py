"""Makes the S3 backend from the settings, with its time limits and the attributes of each object."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from obstore.store import S3Store

from facefleet.config import Objects
from facefleet.errors.input import ConfigInvalid, ImageTypeUnsupported
from facefleet.media.sniff import HEAD_BYTES, sniff_type

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

SCHEMES = ("s3", "s3a")
_RETRIES = 3  # of a refused or broken connection and of a 5xx; each attempt begins within the timeout
_CONNECT_SHARE = 0.4  # of the timeout: an address may drop all packets, and then the next one needs time
_WHOLE = timedelta(hours=1)  # of one transfer: a slow reader of a large object is no outage


def open_s3(url: str, objects: Objects, *, public: bool = False) -> S3Store:
    """The backend of an ``s3://bucket/prefix``.

    Args:
        url: Of bucket and prefix.
        objects: Endpoint, credentials, time limits.
        public: Use the endpoint that clients can reach; for signing links.

    Raises:
        ConfigInvalid: The file of the certificate authority cannot be read.
        ValueError: obstore refuses the URL or a setting.
    """
    endpoint = (objects.public_endpoint if public else "") or objects.endpoint
    client = _client(objects) | {"allow_http": endpoint.startswith("http://")}
    return S3Store.from_url(
        url, config=_credentials(objects, endpoint), client_options=client, retry_config=_retries(objects.timeout)
    )  # fmt: skip


def attributes(key: str, data: bytes) -> dict[str, str]:
    """The headers that the store sends with an object behind a link: the same as those of the gateway."""
    try:
        kind = sniff_type(data[:HEAD_BYTES])
    except ImageTypeUnsupported:
        return {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
    name = f"{PurePosixPath(key).parent.name}{kind.extension}"  # the folder of an object has the name of its task
    return {
        "Content-Type": kind.value,
        "Content-Disposition": f'inline; filename="{name}"',
        "Cache-Control": "private, no-store",
    }


def _credentials(objects: Objects, endpoint: str) -> S3Config:
    """Credentials from the settings; without them obstore takes those of the environment or the platform."""
    config: S3Config = {"disable_bulk_delete": True}  # deletes go one by one, and not every service has bulk deletion
    if endpoint:
        config["endpoint"] = endpoint.rstrip("/")
    if objects.region:
        config["region"] = objects.region
    if secret := objects.secret_key.get_secret_value():
        config["access_key_id"] = objects.access_key.get_secret_value()
        config["secret_access_key"] = secret
    return config


def _client(objects: Objects) -> ClientConfig:
    limit = timedelta(seconds=objects.timeout)
    client: ClientConfig = {"connect_timeout": limit * _CONNECT_SHARE, "read_timeout": limit, "timeout": _WHOLE}
    if objects.ca_file:
        try:
            client["root_certificate"] = objects.ca_file.read_bytes()
        except OSError as error:
            raise ConfigInvalid(
                f"objects.ca_file cannot be read: {error.strerror}.", setting="objects.ca_file"
            ) from error
    return client


def _retries(timeout: float) -> RetryConfig:
    pause = timedelta(milliseconds=100)
    return {
        "max_retries": _RETRIES,
        "retry_timeout": timedelta(seconds=timeout),
        "backoff": {"init_backoff": pause, "max_backoff": 5 * pause, "base": 2},
    }
