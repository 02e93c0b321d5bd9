"""Keeps what was made from photos that come again and again, bounded by bytes and by age.

Photos are personal data. One that comes once is never kept; of one that comes again, what was made from it is let go
``seconds`` after it was made, used or not, by a timer of the cache's own.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Event, Lock, Timer
from typing import Generic, Protocol, TypeVar, cast

KEPT_SECONDS = 600.0
_MAX_SEEN = 4096  # keys remembered of photos that came once


class Sized(Protocol):
    """What can be kept."""

    @property
    def held_bytes(self) -> int:
        """Memory that is freed when it goes."""


Value = TypeVar("Value", bound=Sized)


@dataclass(frozen=True, slots=True)
class Cached(Generic[Value]):
    """What the cache hands out.

    Attributes:
        value: Not to be written to where it is shared.
        shared: Whether others have it too, or may get it.
        hit: Whether it had been made before.
    """

    value: Value
    shared: bool
    hit: bool


@dataclass(slots=True)
class _Kept:
    value: object
    size: int
    made_at: float


@dataclass(slots=True)
class _Making:
    """One thread makes it, others wait."""

    done: Event = field(default_factory=Event)
    wanted: bool = False
    value: object = None


class Cache:
    """Least recently used goes first. Safe from several threads: two that want the same make it once.

    Args:
        max_bytes: Of all that is kept; 0 keeps nothing.
        seconds: How long anything is kept, and how soon a photo must come again to count as coming again.
        clock: Seconds that never go back.
    """

    def __init__(self, max_bytes: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._seen: OrderedDict[Hashable, float] = OrderedDict()
        self._making: dict[Hashable, _Making] = {}
        self._timer: Timer | None = None

    @property
    def keeps(self) -> bool:
        """Whether anything is ever kept."""
        return self._max_bytes > 0

    @property
    def nbytes(self) -> int:
        """Bytes that are kept now."""
        with self._lock:
            return sum(kept.size for kept in self._kept.values())

    def get(self, key: Hashable, make: Callable[[], Value], *, keep: bool = False) -> Cached[Value]:
        """What is kept under a key, or what is made now.

        Args:
            key: Content and all that decides what is made from it.
            make: Called where nothing is kept. What it raises is raised, and nothing is kept.
            keep: Keep it at its first sight.
        """
        if not self.keeps:
            return Cached(make(), shared=False, hit=False)
        while True:
            with self._lock:
                self._expire()
                if kept := self._kept.get(key):
                    self._kept.move_to_end(key)
                    return Cached(cast(Value, kept.value), shared=True, hit=True)
                making = self._making.get(key)
                if making is None:
                    making = self._making[key] = _Making()
                    break
                making.wanted = True
            making.done.wait()
            if making.value is not None:  # else its maker failed or was canceled, which says nothing of ours
                return Cached(cast(Value, making.value), shared=True, hit=True)
        return self._made(key, making, make, keep=keep)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()
            self._seen.clear()

    def _made(self, key: Hashable, making: _Making, make: Callable[[], Value], *, keep: bool) -> Cached[Value]:
        try:
            value = make()
            size = value.held_bytes
            with self._lock:
                self._expire()
                came_before = self._seen.pop(key, None) is not None
                shared = keep or making.wanted or came_before
                if shared:
                    making.value = value
                    self._keep(key, _Kept(value, size, self._clock()))
                else:
                    self._seen[key] = self._clock()
            return Cached(value, shared=shared, hit=False)
        finally:
            with self._lock:
                del self._making[key]
            making.done.set()

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        if kept.size > self._max_bytes:
            return
        self._kept[key] = kept
        while sum(other.size for other in self._kept.values()) > self._max_bytes:
            self._kept.popitem(last=False)
        self._watch()

    def _expire(self) -> None:
        oldest = self._clock() - self._seconds
        for key in [key for key, kept in self._kept.items() if kept.made_at <= oldest]:
            del self._kept[key]
        while self._seen and (len(self._seen) > _MAX_SEEN or next(iter(self._seen.values())) <= oldest):
            self._seen.popitem(last=False)

    def _watch(self) -> None:
        """See to it that what is kept goes in time though nobody asks any more."""
        if self._timer is None and self._kept:
            first = min(kept.made_at for kept in self._kept.values())
            self._timer = Timer(max(0.0, first + self._seconds - self._clock()), self._on_timer)
            self._timer.daemon = True
            self._timer.start()

    def _on_timer(self) -> None:
        with self._lock:
            self._timer = None
            self._expire()
            self._watch()
