"""Traces: one from the HTTP request through the queue to every step of the engine; off unless a setting says where to.

A program opens the first span of its part of a trace with its ``Tracer``. What happens inside adds to the span that is
current in its thread or coroutine, and to nothing where none is. No SDK is known here: ``otlp.py`` knows it, and is
loaded only where traces are on.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Protocol

from facefleet.config import Tracing
from facefleet.errors.base import FacefleetError

Attribute = str | int | float | bool
Checkpoint = Callable[[str, float], None]
Count = Callable[[str, int], None]
"""Told what became of so many spans: ``sent``, ``full`` or ``undelivered``."""

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Side(Enum):
    """On which side of a wire a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """A stretch of work that is being traced, or is not."""

    @property
    def traceparent(self) -> str | None:
        """Its W3C trace context, for whoever goes on with the work; none where nothing is traced."""

    def child(self, name: str, side: Side) -> AbstractContextManager[Span]:
        """A span inside this one; it ends with the block, with the block's error if it has one."""

    def past(self, name: str, began: int, ended: int) -> None:
        """A span inside this one that is over; both in ns since 1970."""

    def named(self, name: str) -> None:
        """What it was is known only now."""

    def set(self, **attributes: Attribute) -> None:
        """Facts about it; ``_`` in a name stands for a point."""

    def event(self, name: str, **attributes: Attribute) -> None:
        """Something that happened meanwhile."""

    def fail(self, code: str) -> None:
        """It did not do what it was to do."""


class Tracer(Protocol):
    """Where the spans of a program begin."""

    def open(self, name: str, side: Side, traceparent: str | None) -> AbstractContextManager[Span]:
        """The first span of this program's part of a trace; it goes on with the caller's, if there is one."""

    def close(self) -> None:
        """Send what waits, for a bounded time, and end."""


class _Nothing:
    """A span of nothing: what is off, is this."""

    traceparent = None

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def child(self, name: str, side: Side) -> AbstractContextManager[Span]:  # noqa: ARG002
        return self

    def past(self, name: str, began: int, ended: int) -> None:
        pass

    def named(self, name: str) -> None:
        pass

    def set(self, **attributes: Attribute) -> None:
        pass

    def event(self, name: str, **attributes: Attribute) -> None:
        pass

    def fail(self, code: str) -> None:
        pass


NOTHING = _Nothing()
_current: ContextVar[Span] = ContextVar("span", default=NOTHING)


class Off:
    """Traces nothing."""

    def open(self, name: str, side: Side, traceparent: str | None) -> AbstractContextManager[Span]:  # noqa: ARG002
        """A span of nothing."""
        return NOTHING

    def close(self) -> None:
        """Nothing waits."""


def open_tracer(settings: Tracing, program: str, count: Count) -> Tracer:
    """The tracer of a program.

    Args:
        settings: Where to, how many; off without an endpoint.
        program: ``gateway`` or ``worker``.
        count: Told what became of spans.

    Raises:
        ConfigInvalid: It is on, and the SDK is not installed.
    """
    if not settings.endpoint:
        return Off()
    # Here, since the SDK is an extra, and what is off must cost nothing at start.
    from facefleet.observability.otlp import OtlpTracer  # noqa: PLC0415

    return OtlpTracer(settings, program, count)


def current() -> Span:
    """The span of this thread or coroutine."""
    return _current.get()


def span(name: str, side: Side = Side.INTERNAL) -> AbstractContextManager[Span]:
    """A span inside the current one."""
    return _current.get().child(name, side)


@contextmanager
def entered(one: Span) -> Iterator[Span]:
    """Make a span the current one; an error that leaves the block is its failure."""
    token = _current.set(one)
    try:
        yield one
    except Exception as error:
        one.fail(error.code if isinstance(error, FacefleetError) else type(error).__name__)
        raise
    finally:
        _current.reset(token)


def laps(prefix: str, checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint; each step that it is told of becomes a span ``prefix.step``, from the end of the last one.

    What the checkpoint itself takes counts for no step.
    """
    around = _current.get()
    if around is NOTHING:
        return checkpoint
    began = time.time_ns()

    def lap(step: str, share: float) -> None:
        nonlocal began
        around.past(f"{prefix}.{step}", began, time.time_ns())
        checkpoint(step, share)
        began = time.time_ns()

    return lap


def context_of(traceparent: str | None) -> str:
    """The caller's trace context (W3C Trace Context, version 00), or a new one that nobody samples."""
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        return traceparent
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id of a trace context; none where it is none."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found else None
