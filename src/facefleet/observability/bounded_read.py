"""Reads a source of metrics that may hang (database, broker): a scrape waits for it a bounded time, and never fails."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from facefleet.errors.outage import OutageError
from facefleet.observability.logs import logger

READ_TIMEOUT_SECONDS = 1.0  # Prometheus gives a scrape ten; one part must not cost the samples of all others

_T = TypeVar("_T")

_log = logger(__name__)


class BoundedRead(Generic[_T]):
    """Reads a value on a thread of its own, one read at a time; scrapes that come meanwhile wait for the same read.

    Args:
        read: May raise ``OutageError``, and may take its time.
        timeout: s that a caller waits.
    """

    def __init__(self, read: Callable[[], _T], timeout: float = READ_TIMEOUT_SECONDS) -> None:
        self._read = read
        self._timeout = timeout
        self._lock = Lock()
        self._current: _ReadThread[_T] | None = None

    def __call__(self) -> _T | None:
        """The value; none where the part is away, or has not answered yet."""
        with self._lock:
            current = self._current
            if current is None or current.done.is_set():
                current = self._current = _ReadThread(self._read)
                current.start()
        current.done.wait(self._timeout)
        return current.value


class _ReadThread(Generic[_T]):
    def __init__(self, read: Callable[[], _T]) -> None:
        self.done = Event()
        self.value: _T | None = None
        self._read = read

    def start(self) -> None:
        """Start to read, as a daemon: a program that ends does not wait for a part that does not answer."""
        Thread(target=self._run, name="reading", daemon=True).start()

    def _run(self) -> None:
        try:
            self.value = self._read()
        except OutageError:  # counted where it was met
            pass
        except Exception:  # noqa: BLE001 - a bug here must not take the other metrics along
            _log.exception("scrape.failed")
        finally:
            self.done.set()
