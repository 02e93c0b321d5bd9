"""The object store, real ones: a folder and an S3 service."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from tests.servers import HOST, SeaweedServer, free_port

from facefleet.config import Objects, Settings
from facefleet.doctor import store
from facefleet.doctor.contract import Demand
from facefleet.doctor.report import State
from facefleet.errors.outage import StoreUnavailable
from facefleet.storage.opening import open_store


@pytest.fixture
def bucket(seaweed: SeaweedServer) -> Settings:
    """Of the shared service, in a folder of the test's own."""
    url = SecretStr(f"s3://{seaweed.BUCKET}/{uuid4().hex}")
    return Settings(objects=seaweed.settings(url=url))


@pytest.mark.needs_server
def test_a_bucket_is_written_read_and_left_empty(bucket: Settings, seaweed: SeaweedServer) -> None:
    found = {one.check: one for one in store.look(bucket, Demand.STRICT)}
    assert set(found) == {"store", "store.versions"}
    assert {one.state for one in found.values()} == {State.OK}
    assert {one.line for one in found.values()} == {"servers.store"}
    assert seaweed.endpoint in found["store"].found
    assert "SeaweedFS" in found["store"].found
    assert list(open_store(bucket.objects_url, bucket.objects).list("health/")) == []
    assert SeaweedServer.SECRET_KEY not in str(found)


@pytest.mark.needs_server
def test_the_clock_of_the_service_is_compared_with_ours(bucket: Settings) -> None:
    (right,) = store.look_at_clock(bucket, Demand.STRICT)
    assert (right.check, right.state) == ("store.clock", State.OK)
    (apart,) = store.look_at_clock(bucket, Demand.REQUIRED, lambda: time.time() - 3600)
    assert apart.state is State.WARNING
    assert apart.found.endswith("s ahead of ours")


@pytest.mark.needs_server
def test_a_clock_is_told_by_a_refusal_too(seaweed: SeaweedServer) -> None:
    wrong = seaweed.settings(url=SecretStr(f"s3://{seaweed.BUCKET}"), secret_key=SecretStr("wrong"))
    assert [one.state for one in store.look_at_clock(Settings(objects=wrong), None)] == [State.OK]
    with pytest.raises(StoreUnavailable):
        list(store.look(Settings(objects=wrong), Demand.REQUIRED))


@pytest.mark.needs_server
def test_a_bucket_that_is_not_there_is_an_outage(seaweed: SeaweedServer) -> None:
    with pytest.raises(StoreUnavailable):
        list(store.look(Settings(objects=seaweed.settings(url=SecretStr("s3://nowhere"))), None))


def test_settings_that_open_nothing_tell_no_clock(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("no certificate")
    wrong = Objects(url=SecretStr("s3://photos"), endpoint="https://s3.example", region="x", ca_file=authority,
                    access_key=SecretStr("a"), secret_key=SecretStr("b"))  # fmt: skip
    assert list(store.look_at_clock(Settings(objects=wrong), Demand.STRICT)) == []


def test_a_service_that_is_away_tells_no_clock() -> None:
    away = Objects(url=SecretStr("s3://photos"), endpoint=f"http://{HOST}:{free_port()}", region="us-east-1",
                   access_key=SecretStr("a"), secret_key=SecretStr("b"))  # fmt: skip
    assert list(store.look_at_clock(Settings(objects=away), None)) == []


@pytest.mark.needs_server
def test_a_bucket_that_keeps_old_versions_is_a_warning_which_only_the_strict_contract_refuses(tmp_path: Path) -> None:
    with SeaweedServer(tmp_path / "seaweed") as server:
        server.keep_versions()
        settings = Settings(objects=server.settings(url=SecretStr(f"s3://{server.BUCKET}")))
        _, warning = store.look(settings, Demand.REQUIRED)
        assert (warning.check, warning.state) == ("store.versions", State.WARNING)
        assert "lifecycle" in warning.advice
        _, broken = store.look(settings, Demand.STRICT)
        assert (broken.state, broken.line) == (State.BROKEN, "servers.store")


def test_a_folder_is_tried_and_one_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    (found,) = store.look(settings, None)
    assert found.state is State.SKIPPED
    assert list(tmp_path.iterdir()) == []
    (broken,) = store.look(settings, Demand.REQUIRED)
    assert (broken.state, broken.line) == (State.BROKEN, "servers.store")
    (tmp_path / "objects").mkdir()
    (found,) = store.look(settings, Demand.STRICT)
    assert found.state is State.OK
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(store.look_at_clock(settings, None)) == []
