"""Looks at the object store: writes, reads and deletes a small object, asks for the clock, and for old versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import httpx
import obstore
from obstore.exceptions import BaseError

from facefleet.config import Objects, Settings
from facefleet.doctor.address import compare_clock, shown
from facefleet.doctor.contract import Demand
from facefleet.doctor.demands import demand
from facefleet.doctor.report import Finding, State
from facefleet.errors.input import ConfigInvalid
from facefleet.storage.keys import probe_key
from facefleet.storage.opening import open_store
from facefleet.storage.remote import SCHEMES, open_s3
from facefleet.trust import trust_of

_CONTENT = b"facefleet doctor\n"
_ANSWER_SECONDS = 3.0  # less than a check may take, so that the reason is told
_LINK_SECONDS = 60
_VERSION = "x-amz-version-id"  # S3 sends it with objects of a bucket that keeps old versions
_NO_VERSION = "null"


def look(settings: Settings, wanted: Demand | None) -> Iterator[Finding]:
    """The store of the settings; a folder that is not there yet is skipped, and not made.

    Args:
        settings: Address, endpoint and keys.
        wanted: By the contract; none: it asks for nothing.
    """
    for finding in _findings(settings):
        yield demand(finding, "servers.store", wanted)


def look_at_clock(settings: Settings, wanted: Demand | None, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """The clock of an S3 service by the ``Date`` of its answers, refusals included; nothing of any other store.

    Args:
        settings: Address, endpoint and keys.
        wanted: By the contract; none: it asks for nothing.
        now: s since the epoch of Unix.
    """
    if urlsplit(settings.objects_url).scheme not in SCHEMES:
        return
    headers = _headers(settings.objects_url, _hurried(settings.objects), probe_key(str(uuid4())))
    with suppress(ValueError):  # no date, or none that can be read
        theirs = parsedate_to_datetime(headers.get("date", "")).timestamp()
        yield demand(compare_clock("store.clock", theirs, now()), "servers.store", wanted)


def _findings(settings: Settings) -> Iterator[Finding]:
    url, objects = settings.objects_url, _hurried(settings.objects)
    parts = urlsplit(url)
    folder = Path(unquote(parts.path))
    if parts.scheme == "file" and not folder.is_dir():
        advice = "Set FACEFLEET_OBJECTS__URL where the objects are to be elsewhere."
        yield Finding("store", State.SKIPPED, f"{folder} is not there yet; `facefleet up` makes it", advice)
        return
    place = f"{shown(url)} at {objects.endpoint}" if objects.endpoint else shown(url)
    began = time.perf_counter()
    same, headers = _try(url, objects, probe_key(str(uuid4())))
    took = (time.perf_counter() - began) * 1000
    if not same:
        yield Finding("store", State.BROKEN, f"{place} gave back other bytes", "Look for a cache or a proxy before it.")
        return
    server = f" ({headers['server']})" if "server" in headers else ""
    yield Finding("store", State.OK, f"{place}{server}: written, read and deleted in {took:.0f} ms")
    if headers:
        yield versions(headers.get(_VERSION, _NO_VERSION))


def _try(url: str, objects: Objects, key: str) -> tuple[bool, Mapping[str, str]]:
    """Write, read and delete an object: whether it came back the same, and S3's headers about it."""
    store = open_store(url, objects)
    store.check()
    store.put(key, _CONTENT)
    try:
        same = store.get(key) == _CONTENT
        return same, _headers(url, objects, key) if urlsplit(url).scheme in SCHEMES else {}
    finally:
        store.delete(key)


def versions(version: str) -> Finding:
    """Whether the bucket keeps what was deleted.

    Args:
        version: Of an object that was just written; ``null`` where none is kept.
    """
    if version == _NO_VERSION:
        return Finding("store.versions", State.OK, "no old versions are kept")
    advice = "Turn versioning off, or have a lifecycle rule delete noncurrent versions: deleted photos stay readable."
    return Finding("store.versions", State.WARNING, "the bucket keeps old versions", advice)


def _hurried(objects: Objects) -> Objects:
    return objects.model_copy(update={"timeout": min(objects.timeout, _ANSWER_SECONDS)})


def _headers(url: str, objects: Objects, key: str) -> Mapping[str, str]:
    """The headers of the store's own answer about an object, which obstore does not show; none: it did not answer."""
    try:
        link = obstore.sign(open_s3(url, objects), "HEAD", key, timedelta(seconds=_LINK_SECONDS))
        trust = trust_of(objects.ca_file, "objects.ca_file")
        return httpx.head(link, timeout=objects.timeout, verify=trust).headers
    except (httpx.HTTPError, BaseError, ValueError, ConfigInvalid):  # what opens the store says why
        return {}
