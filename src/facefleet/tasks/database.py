"""The database under the records: how a connection is made, and how its outages are named.

SQLite is set up for many processes: WAL, a busy timeout, ``synchronous=FULL`` (a 202 survives a power cut), and
``BEGIN IMMEDIATE`` for every write, because a deferred transaction that turns into a write raises BUSY whatever the
timeout is.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from facefleet.errors import ConfigInvalid, RecordsUnavailable

_WRITE = "facefleet_write"
_WAL_RETRY_SECONDS = 0.01
_QUIET = {"hide_parameters": True}  # the words of an error go to the log, a tenant's values do not


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
            return create_engine(parsed, pool_pre_ping=True, **_QUIET)
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            return _sqlite(create_engine(parsed, connect_args={"timeout": busy_timeout}, **_QUIET), busy_timeout)
        # In memory there is one connection, and threads take turns with it: two would mix their transactions.
        one = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": busy_timeout} | _QUIET
        return _sqlite(create_engine("sqlite://", connect_args={"check_same_thread": False}, **one), busy_timeout)
    except (SQLAlchemyError, NoSuchModuleError, ImportError, OSError) as error:
        raise ConfigInvalid(f"records.url cannot be opened: {type(error).__name__}.", setting="records.url") from error


def _sqlite(engine: Engine, busy_timeout: float) -> Engine:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        _use_wal(connection, busy_timeout)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _use_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Of two that open a new file at once, one is told BUSY at once: the busy timeout does not cover this switch."""
    end = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(_WAL_RETRY_SECONDS)
        else:
            return
