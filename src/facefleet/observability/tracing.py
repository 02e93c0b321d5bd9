"""Traces a task from the HTTP request through the queue to every step of the engine, where settings turn it on.

A program opens the first span of its part of a trace with its ``Tracer``. Code inside adds to the span that is current
in its thread or coroutine; where there is none, nothing is recorded. This module does not import the OpenTelemetry SDK:
``otlp.py`` does, and is imported only where traces are on.
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
"""Called with what became of spans (``sent``, ``full`` or ``undelivered``) and how many they were."""

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class SpanKind(Enum):
    """Whether a span is inside a program, or at which end of a request or message."""

    INTERNAL = "internal"
    SERVER = "server"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """One piece of work in a trace, or, where nothing is traced, one that records nothing."""

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context to hand to the program that continues the work; none where nothing is traced."""

    def child(self, name: str, kind: SpanKind) -> AbstractContextManager[Span]:
        """Open a span inside this one; it ends with the block, and fails with the block's error."""

    def add_ended_child(self, name: str, began: int, ended: int) -> None:
        """Add a span inside this one that has ended already; times in ns since 1970."""

    def rename(self, name: str) -> None:
        """Change the name, where it is known only after the span was opened."""

    def set(self, **attributes: Attribute) -> None:
        """Set attributes; ``_`` in a name stands for a point, ``__`` for ``_``."""

    def event(self, name: str, **attributes: Attribute) -> None:
        """Record an event inside the span; names as in ``set``."""

    def fail(self, code: str) -> None:
        """Mark the span as failed with an error's code."""


class Tracer(Protocol):
    """Opens the first span of each trace in a program."""

    def open(self, name: str, kind: SpanKind, traceparent: str | None) -> AbstractContextManager[Span]:
        """Open the first span of this program's part of a trace; it continues the caller's trace, if there is one."""

    def close(self) -> None:
        """Send the spans that wait, for a bounded time, and end."""


class _NoSpan:
    """Records nothing: the span where tracing is off."""

    traceparent = None

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def child(self, name: str, kind: SpanKind) -> AbstractContextManager[Span]:  # noqa: ARG002
        return self

    def add_ended_child(self, name: str, began: int, ended: int) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def set(self, **attributes: Attribute) -> None:
        pass

    def event(self, name: str, **attributes: Attribute) -> None:
        pass

    def fail(self, code: str) -> None:
        pass


NO_SPAN = _NoSpan()
_current: ContextVar[Span] = ContextVar("span", default=NO_SPAN)


class NoTracer:
    """Traces nothing: the tracer where tracing is off."""

    def open(self, name: str, kind: SpanKind, traceparent: str | None) -> AbstractContextManager[Span]:  # noqa: ARG002
        """Open a span that records nothing."""
        return NO_SPAN

    def close(self) -> None:
        """Do nothing: no span waits."""


def open_tracer(settings: Tracing, program: str, count: Count) -> Tracer:
    """The tracer of a program.

    Args:
        settings: Where to send spans, and how many; off without an endpoint.
        program: ``gateway`` or ``worker``.
        count: Called with what became of spans.

    Raises:
        ConfigInvalid: Tracing is on, and the SDK is not installed.
    """
    if not settings.endpoint:
        return NoTracer()
    # Imported here, since the SDK is an extra, and must cost nothing at start where tracing is off.
    from facefleet.observability.otlp import OtlpTracer  # noqa: PLC0415

    return OtlpTracer(settings, program, count)


def current() -> Span:
    """The span of this thread or coroutine."""
    return _current.get()


def span(name: str, kind: SpanKind = SpanKind.INTERNAL) -> AbstractContextManager[Span]:
    """Open a span inside the current one."""
    return _current.get().child(name, kind)


@contextmanager
def as_current(opened: Span) -> Iterator[Span]:
    """Make a span the current one during the block; it fails with an error that leaves the block."""
    token = _current.set(opened)
    try:
        yield opened
    except Exception as error:
        opened.fail(error.code if isinstance(error, FacefleetError) else type(error).__name__)
        raise
    finally:
        _current.reset(token)


def trace_steps(prefix: str, checkpoint: Checkpoint) -> Checkpoint:
    """Wrap a checkpoint so that each step becomes a span ``prefix.step``, from the end of the step before.

    The time that the checkpoint itself takes counts for no step.
    """
    parent = _current.get()
    if parent is NO_SPAN:
        return checkpoint
    began = time.time_ns()

    def traced_checkpoint(step: str, share: float) -> None:
        nonlocal began
        parent.add_ended_child(f"{prefix}.{step}", began, time.time_ns())
        checkpoint(step, share)
        began = time.time_ns()

    return traced_checkpoint


def traceparent_or_new(traceparent: str | None) -> str:
    """The caller's trace context where it is valid (W3C Trace Context, version 00), else a new one, not sampled."""
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        return traceparent
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id in a trace context; none where the context is missing or malformed."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match[1] if match else None
