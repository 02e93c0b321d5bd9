"""A real S3 service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.servers import SeaweedServer

from facefleet.config import Objects
from facefleet.storage.store import ObjectStore, open_store


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    with SeaweedServer(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[SeaweedServer]:
    """A server that the test may kill."""
    with SeaweedServer(tmp_path / "seaweed") as server:
        yield server


OpenS3 = Callable[..., ObjectStore]


@pytest.fixture
def open_s3(seaweed: SeaweedServer) -> OpenS3:
    """Opens stores on the shared server, in a folder of the test's own."""
    prefix = uuid4().hex

    def opening(**changes: object) -> ObjectStore:
        return open_store(f"s3://{seaweed.BUCKET}/{prefix}", objects_of(seaweed, **changes))

    return opening


def objects_of(server: SeaweedServer, **changes: object) -> Objects:
    """The settings that reach a server."""
    return Objects.model_validate({
        "endpoint": server.endpoint, "region": "us-east-1",
        "access_key": server.ACCESS_KEY, "secret_key": server.SECRET_KEY,
    } | changes)  # fmt: skip
