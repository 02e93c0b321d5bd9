"""Who may run beside whom in this process: most runs share it, one that is suspected of crashing it has it to itself.

A run waits here before it claims its task. What waits with a claim would lose it with the process, and count as what
crashes workers itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from facefleet.worker.leases import HandedBack

LOOK_SECONDS = 0.1  # how soon one that waits notices that the worker leaves


class Gate:
    """Shared by many or held by one; one that wants it alone keeps later ones out until it has had its turn.

    Args:
        leaving: Whether the worker takes nothing more; then nobody gets in.
    """

    def __init__(self, leaving: Callable[[], bool]) -> None:
        self._leaving = leaving
        self._changed = Condition()
        self._inside = 0
        self._wanting = 0  # how many wait to be alone
        self._alone = False
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many threads wait to get in."""
        return self._waiting

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside with others.

        Raises:
            HandedBack: The worker leaves.
        """
        with self._changed:
            self._wait_until(lambda: not self._alone and not self._wanting)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one inside; must not be entered from inside.

        Raises:
            HandedBack: The worker leaves.
        """
        with self._changed:
            self._wanting += 1
            try:
                self._wait_until(lambda: not self._alone and not self._inside)
                self._alone = True
            finally:
                self._wanting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def _wait_until(self, free: Callable[[], bool]) -> None:
        self._waiting += 1
        try:
            while not self._leaving():
                if free():
                    return
                self._changed.wait(LOOK_SECONDS)
            raise HandedBack
        finally:
            self._waiting -= 1
