"""The database under the records: how a connection is made, and how its outages are named.

SQLite is set up for many processes: WAL, a busy timeout, ``synchronous=FULL`` (a 202 survives a power cut), and
``BEGIN IMMEDIATE`` for every write, because a deferred transaction that turns into a write raises BUSY whatever the
timeout is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from facefleet.errors import ConfigInvalid, RecordsUnavailable

_WRITE = "facefleet_write"


class Database:
    """One engine with two kinds of transaction.

    Raises:
        ConfigInvalid: The URL is not one SQLAlchemy can open.
    """

    def __init__(self, url: str, *, busy_timeout: float = 10.0) -> None:
        self.engine = _engine(url, busy_timeout)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        with _outages(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; it commits at the end of the block.

        Raises:
            RecordsUnavailable: The database does not answer, or another writer held it too long.
        """
        with _outages(), self.engine.execution_options(**{_WRITE: True}).begin() as connection:
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        # The driver's words can hold values of the statement; the name of its class is enough.
        cause = type(getattr(error, "orig", None) or error).__name__
        raise RecordsUnavailable("The database did not answer; try again.", cause=cause) from error


def _engine(url: str, busy_timeout: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            return _sqlite(create_engine(parsed, connect_args={"timeout": busy_timeout}))
        shared = {"check_same_thread": False, "timeout": busy_timeout}
        return _sqlite(create_engine("sqlite://", connect_args=shared, poolclass=StaticPool))
    except (SQLAlchemyError, NoSuchModuleError, ImportError, OSError) as error:
        raise ConfigInvalid(f"records.url cannot be opened: {type(error).__name__}.", setting="records.url") from error


def _sqlite(engine: Engine) -> Engine:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
