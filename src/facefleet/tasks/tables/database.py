"""Opens the database of the records, runs transactions on it, and turns its outages into errors of ours.

SQLite is set up for many processes: WAL, a busy timeout, ``synchronous=FULL`` (a 202 survives a power cut) except for
writes that a power cut may undo, and ``BEGIN IMMEDIATE`` for every write, because a deferred transaction that turns
into a write raises BUSY at once, whatever the timeout is.

PostgreSQL runs at READ COMMITTED: every change of the repository is one conditional UPDATE, which waits for the row
and then evaluates its condition again. Each wait is limited: for a connection, for a statement, and for a server that
neither answers nor closes the connection. A connection that broke is replaced at the next use, so a server that came
back is used again without a restart.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, QueuePool

from facefleet.errors.input import ConfigInvalid
from facefleet.errors.outage import RecordsUnavailable, RecordsUncertain
from facefleet.observability.metrics import ignore_outage

_WRITE, _UNDOABLE = "facefleet_write", "facefleet_undoable"
_SYNCHRONOUS = "synchronous"
_WAL_RETRY_SECONDS = 0.01
_HIDE = {"hide_parameters": True}  # error messages go to the log, and must not hold a tenant's values

_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")
_CONNECT_SECONDS = 3
_STATEMENT_SECONDS = 10
_ANSWER_SECONDS = _STATEMENT_SECONDS + 1  # the server ends a statement first, if it can
_POOL = {"pool_size": 5, "max_overflow": 15, "pool_timeout": _CONNECT_SECONDS, "pool_use_lifo": True}
# The kernel notices a peer that vanished without closing the connection; the names are those of libpq.
_KEEPALIVE = {
    "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": _STATEMENT_SECONDS * 1000,
}  # fmt: skip
_ACTIVE = 1  # libpq's PQTRANS_ACTIVE
_SCHEMA_LOCK = 0x66_61_63_65_66_6C_74  # any number that no other program on this database takes ("faceflt")
_OUTAGE_STATES = frozenset({
    "25006",  # read_only_sql_transaction: a standby, or a server that is being moved
    "42P01",  # undefined_table: no schema yet
})  # fmt: skip


class Database:
    """One engine with two kinds of transaction, and a third for the schema.

    Args:
        url: ``sqlite:///file`` or ``postgresql://user:password@host/database?sslmode=…`` (any parameter of libpq).
        busy_timeout: s to wait for SQLite's write lock.
        on_outage: Called each time that the database did not answer.

    Raises:
        ConfigInvalid: The URL is not one of these.
    """

    def __init__(
        self, url: str, *, busy_timeout: float = 10.0, on_outage: Callable[[], object] = ignore_outage
    ) -> None:
        self.engine = _engine(url, busy_timeout)
        self._on_outage = on_outage

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        with self._outages(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self, *, undoable: bool = False) -> Iterator[Connection]:
        """A transaction that writes; it commits at the end of the block.

        Args:
            undoable: A power cut of the machine that has the SQLite file may undo it: the commit does not wait for the
                disk. PostgreSQL, which can fall while its clients live, keeps it like any other.

        Raises:
            RecordsUnavailable: The database does not answer, or another writer held it too long; nothing is changed.
            RecordsUncertain: It went away while it committed.
        """
        committing = False
        options = {_WRITE: True, _UNDOABLE: undoable}
        try:
            with self._outages(), self.engine.execution_options(**options).begin() as connection:
                yield connection
                committing = True
        except RecordsUnavailable as error:
            if committing and _disconnected(error):
                raise RecordsUncertain(
                    "The database went away while it wrote. Send the request again, with its Idempotency-Key.",
                    **error.detail,
                ) from error
            raise

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """A transaction that changes the schema: one at a time over all processes, without a time limit.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        if self.engine.dialect.name == "sqlite":  # its writers take turns anyway
            with self.write() as connection:
                yield connection
            return
        unlimited = create_engine(self.engine.url, poolclass=NullPool, **_HIDE)
        with self._outages(), unlimited.begin() as connection:
            take_lock(connection, _SCHEMA_LOCK)
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    @contextmanager
    def _outages(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            if not _is_outage(error):
                raise
            self._on_outage()
            # The driver's message can hold values of the statement; the name of its class is enough.
            cause = type(getattr(error, "orig", None) or error).__name__
            raise RecordsUnavailable("The database did not answer; try again.", cause=cause) from error


def take_lock(connection: Connection, number: int, of: str | None = None) -> None:
    """Wait for a lock of all processes, and keep it until the transaction ends. SQLite has one writer.

    Args:
        connection: Of the transaction.
        number: Tells the lock from others of the database.
        of: Whose lock it is, where each has one of its own; two whose names have the same hash share one.
    """
    if connection.dialect.name == "sqlite":
        return
    if of is None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": number})
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock, hashtext(:of))"), {"lock": number, "of": of})


def try_lock(connection: Connection, number: int) -> bool:
    """Take a lock of all processes until the transaction ends; false where another has it. SQLite has one writer."""
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": number}).scalar())


def _disconnected(error: RecordsUnavailable) -> bool:
    """Whether the connection was lost, so that the outcome of the commit is unknown; a refused commit is known."""
    return isinstance(error.__cause__, DBAPIError) and error.__cause__.connection_invalidated


def _is_outage(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout) or error.connection_invalidated:
        return True
    if type(error.orig) is sqlite3.DatabaseError:  # the file is damaged, or something else
        return True
    return getattr(error.orig, "sqlstate", None) in _OUTAGE_STATES


def file_of(url: str) -> Path | None:
    """The file of an SQLite database; none for any other database, and for a URL that cannot be parsed."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        return None
    kept = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(str(parsed.database)) if kept else None


def _engine(url: str, busy_timeout: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in _POSTGRESQL:
            return _postgresql(parsed)
        if parsed.get_backend_name() != "sqlite":
            raise NoSuchModuleError(parsed.drivername)
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            return _sqlite(create_engine(parsed, connect_args={"timeout": busy_timeout}, **_HIDE), busy_timeout)
        # In memory there is one connection, and threads take turns with it: two would mix their transactions.
        one = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": busy_timeout} | _HIDE
        return _sqlite(create_engine("sqlite://", connect_args={"check_same_thread": False}, **one), busy_timeout)
    except (SQLAlchemyError, NoSuchModuleError, ImportError, OSError, ValueError) as error:
        # Not chained: its message may quote the password in the URL.
        raise ConfigInvalid(f"records.url cannot be opened: {type(error).__name__}.", setting="records.url") from None


def _postgresql(url: URL) -> Engine:
    """Parameters of the URL override ours; its ``options`` are appended to ours, and the last of two wins."""
    options = f"-c TimeZone=UTC -c statement_timeout={_STATEMENT_SECONDS}s {url.query.get('options', '')}".strip()
    ours = {"connect_timeout": _CONNECT_SECONDS, "application_name": "facefleet"} | _KEEPALIVE
    arguments = {name: value for name, value in ours.items() if name not in url.query} | {"options": options}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=arguments, **_POOL, **_HIDE
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        _limit_wait(connection)

    return engine


def _limit_wait(connection: Any) -> None:
    """Limit the wait for a server that is stopped or stuck: its kernel keeps the connection alive for ever."""
    wait = connection.wait

    def bounded(generator: Any, **options: Any) -> Any:
        try:
            return wait(generator, **{"timeout": _ANSWER_SECONDS} | options)
        except Exception:
            if connection.pgconn.transaction_status == _ACTIVE:  # an answer is still due: not to be used again
                connection.pgconn.finish()
            raise

    connection.wait = bounded


def _sqlite(engine: Engine, busy_timeout: float) -> Engine:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is sent by ``_begin``
        _use_wal(connection, busy_timeout)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        write = options.get(_WRITE)
        if write:
            _synchronise(connection, "NORMAL" if options[_UNDOABLE] else "FULL")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _synchronise(connection: Connection, level: str) -> None:
    """Set whether the next commit waits for the disk; SQLite allows this only between two transactions."""
    if connection.info.get(_SYNCHRONOUS, "FULL") != level:
        connection.exec_driver_sql(f"PRAGMA synchronous={level}")
        connection.info[_SYNCHRONOUS] = level


def _use_wal(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Switch to WAL, and retry: when two open a new file, SQLite answers BUSY to one without its busy timeout."""
    end = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(_WAL_RETRY_SECONDS)
        else:
            return
