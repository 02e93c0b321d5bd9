"""Reading what may not answer: a scrape waits only so long, and never fails."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from facefleet.errors.outage import OutageError
from facefleet.observability.logs import logger

PATIENCE_SECONDS = 1.0  # Prometheus gives a scrape ten; one part must not cost the samples of all others

_T = TypeVar("_T")

_log = logger(__name__)


class Reading(Generic[_T]):
    """One reading at a time, each on a thread of its own; scrapes that come meanwhile wait for the same one.

    Args:
        read: May raise ``OutageError``, and may take its time.
        patience: s that a caller waits.
    """

    def __init__(self, read: Callable[[], _T], patience: float = PATIENCE_SECONDS) -> None:
        self._read = read
        self._patience = patience
        self._lock = Lock()
        self._current: _Run[_T] | None = None

    def __call__(self) -> _T | None:
        """What was read; none where the part is away, or has not answered yet."""
        with self._lock:
            run = self._current
            if run is None or run.done.is_set():
                run = self._current = _Run(self._read)
                run.start()
        run.done.wait(self._patience)
        return run.found


class _Run(Generic[_T]):
    def __init__(self, read: Callable[[], _T]) -> None:
        self.done = Event()
        self.found: _T | None = None
        self._read = read

    def start(self) -> None:
        """A daemon: a program that ends does not wait for a part that does not answer."""
        Thread(target=self._run, name="reading", daemon=True).start()

    def _run(self) -> None:
        try:
            self.found = self._read()
        except OutageError:  # counted where it was met
            pass
        except Exception:  # noqa: BLE001 - a bug here must not take the other metrics along
            _log.exception("scrape.failed")
        finally:
            self.done.set()
