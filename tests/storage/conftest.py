"""A real S3 service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.servers import SeaweedServer

from facefleet.storage.opening import open_store
from facefleet.storage.store import Store


@pytest.fixture
def own(tmp_path: Path) -> Iterator[SeaweedServer]:
    """A server that the test may kill."""
    with SeaweedServer(tmp_path / "seaweed") as server:
        yield server


OpenS3 = Callable[..., Store]


@pytest.fixture
def open_s3(seaweed: SeaweedServer) -> OpenS3:
    """Opens stores on the shared server, in a folder of the test's own."""
    prefix = uuid4().hex

    def opening(**changes: object) -> Store:
        return open_store(f"s3://{seaweed.BUCKET}/{prefix}", seaweed.settings(**changes))

    return opening
