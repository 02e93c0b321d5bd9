"""Every implementation behind each contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from uuid import uuid4

import pytest
from tests.schemas import bring_to_schema
from tests.servers import PostgresServer, SeaweedServer
from tests.tasks.fakes import AllRecords, FakeClock

from facefleet.storage.opening import open_store
from facefleet.storage.store import Store
from facefleet.tasks.tables.database import Database


@pytest.fixture(params=["memory", "local", pytest.param("s3", marks=pytest.mark.needs_server)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store."""
    if request.param == "s3":
        server: SeaweedServer = request.getfixturevalue("seaweed")
        return open_store(f"s3://{server.BUCKET}/{uuid4().hex}", server.settings())
    return open_store("memory:///" if request.param == "memory" else (tmp_path / "my objects").as_uri())


@pytest.fixture(params=["memory", "file", pytest.param("postgresql", marks=pytest.mark.needs_server)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with the schema of this release."""
    with _records(request, tmp_path) as url, closing(Database(url)) as opened:
        bring_to_schema(opened)
        yield opened


def _records(request: pytest.FixtureRequest, folder: Path) -> AbstractContextManager[str]:
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.lent_records()
    return nullcontext("sqlite://" if request.param == "memory" else f"sqlite:///{folder / 'records.db'}")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def records(database: Database, clock: FakeClock) -> AllRecords:
    return AllRecords(database, clock)
