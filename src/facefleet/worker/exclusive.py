"""Lets runs share the process, and gives one that is suspected of crashing it the process to itself.

A run waits here before it claims its task. If it waited with a claim and the process crashed, it would lose the claim
with the process, and be taken for a task that crashes workers itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from facefleet.worker.leases import HandedBack

WAKE_SECONDS = 0.1  # how soon a waiting run notices that the worker leaves


class ExclusiveLock:
    """Held by many runs in shared mode or by one in exclusive mode.

    A run that waits for exclusive mode keeps later ones out until it has had its turn.

    Args:
        leaving: Whether the worker takes nothing more; then nobody acquires the lock.
    """

    def __init__(self, leaving: Callable[[], bool]) -> None:
        self._leaving = leaving
        self._changed = Condition()
        self._shared_holders = 0
        self._exclusive_held = False
        self._exclusive_waiting = 0
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many threads wait for the lock."""
        return self._waiting

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock together with others.

        Raises:
            HandedBack: The worker leaves.
        """
        with self._changed:
            self._wait_until(lambda: not self._exclusive_held and not self._exclusive_waiting)
            self._shared_holders += 1
        try:
            yield
        finally:
            with self._changed:
                self._shared_holders -= 1
                self._changed.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Be the only holder; a thread that holds the lock already would wait for ever.

        Raises:
            HandedBack: The worker leaves.
        """
        with self._changed:
            self._exclusive_waiting += 1
            try:
                self._wait_until(lambda: not self._exclusive_held and not self._shared_holders)
                self._exclusive_held = True
            finally:
                self._exclusive_waiting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._exclusive_held = False
                self._changed.notify_all()

    def _wait_until(self, free: Callable[[], bool]) -> None:
        self._waiting += 1
        try:
            while not self._leaving():
                if free():
                    return
                self._changed.wait(WAKE_SECONDS)
            raise HandedBack
        finally:
            self._waiting -= 1
