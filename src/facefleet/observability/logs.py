"""Sets up logging by structlog: one JSON line an event, with the fields that are bound to the task on every line."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

# Libraries that log every step at level info; uvicorn.error is uvicorn's general logger.
_LOGGED_FROM_WARNING = ("httpx", "httpcore", "celery", "kombu", "alembic", "uvicorn.access", "uvicorn.error")


def configure(level: str = "info", style: str = "auto") -> None:
    """Set up logging of this process, of the libraries too, in one format on stderr.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        style: ``json``, ``console``, or ``auto``: console on a terminal, else JSON lines.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    severity = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _StderrHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(console)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(severity)
    for name in _LOGGED_FROM_WARNING:
        logging.getLogger(name).setLevel(max(severity, logging.WARNING))


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is by then: the one of before may be closed, and each line would be a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; called under the handler's lock."""
        self.stream = sys.stderr
        super().emit(record)


def mute_library(library: str) -> None:
    """Drop all log lines of a library that repeats what we log once."""
    logging.getLogger(library).setLevel(logging.CRITICAL + 1)


def _renderers(console: bool) -> list[Processor]:
    """The last processors; they write tracebacks without the values of variables: photos, passwords, tenants' rows."""
    drop_metadata = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if console:
        traceback = structlog.dev.RichTracebackFormatter(show_locals=False)
        return [drop_metadata, structlog.dev.ConsoleRenderer(exception_formatter=traceback)]
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    return [drop_metadata, tracebacks, _add_process, structlog.processors.JSONRenderer()]


def _add_process(_: object, __: str, event: EventDict) -> EventDict:
    """Add the process id: the processes of a worker write to one stream."""
    event["pid"] = os.getpid()
    return event


def logger(name: str, **bound: Any) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    bound_logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name, **bound)
    return bound_logger


bound = structlog.contextvars.bound_contextvars
