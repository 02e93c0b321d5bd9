"""What is particular to objects on S3: outages, time limits, links, credentials, TLS."""

from __future__ import annotations

import random
import signal
import socket
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import httpx
import pytest
from tests.races import kill_while_working
from tests.servers import HOST, Certificates, SeaweedServer, free_port, wait_until
from tests.storage.conftest import OpenS3
from tests.storage.test_store import CALLS, KEY

from facefleet.config import Objects
from facefleet.errors.input import ConfigInvalid
from facefleet.errors.outage import StoreUnavailable
from facefleet.errors.task import ObjectMissing
from facefleet.storage.opening import open_store
from facefleet.storage.store import Store

pytestmark = pytest.mark.needs_server
ALL: dict[str, Callable[[Store], object]] = CALLS | {"link": lambda store: store.link(KEY, 60)}


def seconds_to_fail(call: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        call()
    assert set(caught.value.detail) == {"cause"}
    return time.monotonic() - began


# ── outages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ALL)
def test_a_service_that_is_not_there_is_an_outage_within_two_seconds(name: str) -> None:
    with socket.socket() as taken:  # bound and not listening: refuses
        taken.bind((HOST, 0))
        keys = {"access_key": "a", "secret_key": "s"}
        endpoint = f"http://{HOST}:{taken.getsockname()[1]}"
        store = open_store("s3://photos", Objects.model_validate({"endpoint": endpoint} | keys))
        assert seconds_to_fail(lambda: ALL[name](store)) < 2


@pytest.mark.parametrize("name", ALL)
def test_a_service_that_says_nothing_is_an_outage_after_the_timeout(own: SeaweedServer, name: str) -> None:
    patient = open_store("s3://photos/a", own.settings())
    patient.put(KEY, b"x")
    store = open_store("s3://photos/a", own.settings(timeout=1.0))
    own.send(signal.SIGSTOP)
    assert 0.5 < seconds_to_fail(lambda: ALL[name](store)) < 4
    own.send(signal.SIGCONT)
    if name != "delete":  # which the service may carry out when it wakes
        assert patient.get(KEY) == b"x"


def test_a_stream_whose_service_dies_is_an_outage_and_not_a_shorter_photo(own: SeaweedServer) -> None:
    open_store("s3://photos/a", own.settings()).put(KEY, random.Random(1).randbytes(48 * 1024 * 1024))
    store = open_store("s3://photos/a", own.settings(timeout=1.0))
    found = store.stream(KEY)
    next(found.chunks)
    own.kill()
    seconds_to_fail(lambda: list(found.chunks))


def test_a_stream_is_never_all_in_memory(open_s3: OpenS3) -> None:
    store = open_s3()
    store.put(KEY, bytes(4 * 1024 * 1024))
    assert max(map(len, store.stream(KEY).chunks)) <= 1024 * 1024


def test_a_slow_reader_is_no_outage(open_s3: OpenS3) -> None:
    """The limit is on the service's silence, not on the length of the download."""
    open_s3().put(KEY, bytes(24 * 1024 * 1024))
    found, read = open_s3(timeout=1.5).stream(KEY), 0
    for number, chunk in enumerate(found.chunks):
        read += len(chunk)
        if number in (1, 3):
            Event().wait(2.0)
    assert read == found.size


@pytest.mark.parametrize("name", ["put", "get", "delete"])
def test_what_is_not_allowed_is_an_outage_and_not_a_missing_object(open_s3: OpenS3, name: str) -> None:
    open_s3().put(KEY, b"x")
    with pytest.raises(StoreUnavailable):
        ALL[name](open_s3(secret_key="another"))


@pytest.mark.parametrize("name", ["get", "stream", "delete"])
def test_a_bucket_that_is_not_there_is_an_outage_and_not_a_missing_object(seaweed: SeaweedServer, name: str) -> None:
    with pytest.raises(StoreUnavailable):
        ALL[name](open_store("s3://no-such-bucket/a", seaweed.settings()))


def test_what_was_acknowledged_survives_kills_and_nothing_but_outages_is_seen(own: SeaweedServer) -> None:
    store = open_store("s3://photos/a", own.settings())
    kept: list[tuple[str, bytes]] = []
    outages: list[int] = []

    def put_and_get(number: int, stop: Event) -> None:
        for turn in count():
            if stop.is_set():
                return
            key, data = f"tenants/acme/inputs/{number}-{turn}/source", f"{number} {turn}".encode() * 500
            try:
                store.put(key, data)
                kept.append((key, data))
                store.get(key)
            except StoreUnavailable:
                outages.append(number)

    kill_while_working(own, put_and_get, kept, outages, threads=3)
    assert [key for key, data in kept if store.get(key) != data] == []


# ── links ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_ends_when_its_time_is_over(open_s3: OpenS3) -> None:
    store = open_s3()
    store.put(KEY, b"x")
    link = store.link(KEY, 4)
    assert link is not None
    assert httpx.get(link).status_code == 200
    wait_until(lambda: httpx.get(link).status_code == 403, "the link is over", 15)


def test_a_link_is_good_for_one_object_and_for_reading(open_s3: OpenS3) -> None:
    store = open_s3()
    store.put(KEY, b"x")
    store.put(f"{KEY}2", b"y")
    link = store.link(KEY, 60)
    assert link is not None
    assert httpx.get(link.replace(KEY, f"{KEY}2")).status_code == 403
    assert httpx.put(link, content=b"z").status_code == 403
    assert httpx.delete(link).status_code == 403
    assert store.get(KEY) == b"x"


def test_a_link_bears_the_name_that_clients_can_reach(open_s3: OpenS3, seaweed: SeaweedServer) -> None:
    public = seaweed.endpoint.replace(HOST, "localhost")
    store = open_s3(public_endpoint=public)
    store.put(KEY, b"x")
    link = store.link(KEY, 60)
    assert link is not None
    assert urlsplit(link).netloc == urlsplit(public).netloc
    assert httpx.get(link).content == b"x", "the name is part of what is signed"


def test_no_links_are_given_where_they_are_switched_off(open_s3: OpenS3) -> None:
    store = open_s3(presign=False)
    store.put(KEY, b"x")
    assert store.link(KEY, 60) is None


def test_what_is_no_photo_is_not_shown_by_a_browser(open_s3: OpenS3) -> None:
    store = open_s3()
    store.put(KEY, b"<script>alert(1)</script>")
    link = store.link(KEY, 60)
    assert link is not None
    answer = httpx.get(link)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"


# ── credentials and TLS ──────────────────────────────────────────────────────────────────────────────────────────────


def test_credentials_come_from_the_environment_where_none_are_set(
    seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.SECRET_KEY)
    store = open_store("s3://photos/environment", Objects(endpoint=seaweed.endpoint))
    store.put(KEY, b"x")
    assert store.get(KEY) == b"x"
    link = store.link(KEY, 60)
    assert link is not None
    assert httpx.get(link).content == b"x"


def test_what_is_set_wins_over_the_environment(open_s3: OpenS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    store = open_s3()
    store.put(KEY, b"x")
    assert store.get(KEY) == b"x"


def test_two_prefixes_of_a_bucket_share_nothing(seaweed: SeaweedServer) -> None:
    one, two = (open_store(f"s3://{seaweed.BUCKET}/{name}/deep", seaweed.settings()) for name in ("one", "two"))
    one.put(KEY, b"x")
    assert list(one.list("tenants/")) == [KEY]
    assert list(two.list("tenants/")) == []
    with pytest.raises(ObjectMissing):
        two.get(KEY)


def test_a_private_authority_is_trusted_when_it_is_named_and_else_not(tmp_path: Path) -> None:
    mine, another = Certificates.make(tmp_path / "mine"), Certificates.make(tmp_path / "another")
    tls = {
        "s3.port.https": str(free_port()),
        "s3.cert.file": str(mine.certificate),
        "s3.key.file": str(mine.key),
    }
    with SeaweedServer(tmp_path / "seaweed", **tls) as server:

        def store(**changes: object) -> Store:
            return open_store("s3://photos/a", server.settings(endpoint=server.secure_endpoint, **changes))

        store(ca_file=mine.ca).put(KEY, b"x")
        assert store(ca_file=mine.ca).get(KEY) == b"x"
        for wrong in ({}, {"ca_file": another.ca}):
            with pytest.raises(StoreUnavailable):
                store(**wrong).get(KEY)


def test_a_file_that_is_no_certificate_is_a_bad_setting(open_s3: OpenS3, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigInvalid):
        open_s3(ca_file=tmp_path / "ca.pem")
