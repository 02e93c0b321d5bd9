"""Broker and records behind TLS: the authority that is named is trusted, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from tests.servers import HOST, Certificates, PostgresServer, TlsFront, ValkeyServer
from tests.tasks.fakes import AllRecords, FakeClock, a_task

from facefleet.config import Settings, load
from facefleet.errors.outage import OutageError, QueueUnavailable, RecordsUnavailable
from facefleet.queue.app import build_app
from facefleet.queue.broker import Broker
from facefleet.queue.submit import Submitter
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.upgrade import upgrade

pytestmark = pytest.mark.needs_server


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("mine"))


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("another"))


# ── the broker ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def broker_port(tmp_path: Path, mine: Certificates) -> Iterator[int]:
    """Of a Valkey behind TLS, that wants a password."""
    with ValkeyServer(tmp_path / "valkey") as server, redis.Redis.from_url(server.url) as client:
        client.config_set("requirepass", "hunter2")
        with TlsFront(int(server.url.split(":")[2].split("/")[0]), mine) as front:
            yield front.port


def ask_both(settings: Settings) -> list[type[OutageError] | None]:
    """What our own client and Celery's say."""
    url = settings.queue.url.get_secret_value()
    with ExitStack() as stack:
        broker = Broker(url, prefix="t")
        stack.callback(broker.close)
        app = stack.enter_context(build_app(url, prefix="t", lower_lane_every=5, visibility_timeout=60))
        return [_outcome(broker.epoch), _outcome(lambda: Submitter(app).send(a_task()))]


def _outcome(call: Callable[[], object]) -> type[OutageError] | None:
    try:
        call()
    except OutageError as error:
        return type(error)
    return None


def test_a_broker_is_trusted_by_the_named_authority_only(
    broker_port: int, mine: Certificates, another: Certificates
) -> None:
    # Another database each time: in one process Celery's client would take an open connection to the same for its own.
    url = f"rediss://:hunter2@localhost:{broker_port}"
    assert ask_both(load(queue={"url": f"{url}/0", "ca_file": mine.ca})) == [None, None]
    assert ask_both(load(queue={"url": f"{url}/1", "ca_file": another.ca})) == [QueueUnavailable] * 2
    assert ask_both(load(queue={"url": f"{url}/2"})) == [QueueUnavailable] * 2, "a public authority did not sign it"


def test_a_broker_refuses_a_wrong_password(broker_port: int, mine: Certificates) -> None:
    url = f"rediss://:wrong@localhost:{broker_port}/0"
    assert ask_both(load(queue={"url": url, "ca_file": mine.ca})) == [QueueUnavailable, QueueUnavailable]


# ── the records ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_records_are_trusted_by_the_named_authority_only(
    postgres: PostgresServer, mine: Certificates, another: Certificates
) -> None:
    plain = postgres.new_database()
    with TlsFront(postgres.port, mine, postgres=True) as front, ExitStack() as stack:
        url = plain.replace(f"{HOST}:{postgres.port}", f"localhost:{front.port}")

        def behind(ca: Path) -> Database:
            database = Database(f"{url}?sslmode=verify-full&sslrootcert={ca}")
            stack.callback(database.close)
            return database

        database = behind(mine.ca)
        upgrade(database)
        task = a_task()
        AllRecords(database, FakeClock()).add(task)
        assert AllRecords(database, FakeClock()).get(task.tenant, task.id).id == task.id
        with pytest.raises(RecordsUnavailable), behind(another.ca).read():
            pass
