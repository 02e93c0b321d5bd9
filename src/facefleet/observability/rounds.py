"""Keeps background work going: an error ends the round that met it, never the loop, and is told in the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.stdlib import BoundLogger

from facefleet.errors.base import FacefleetError


@contextmanager
def round_of(log: BoundLogger, *, interrupted: str, failed: str) -> Iterator[None]:
    """Run one round; whatever ends it early is logged and goes no further.

    Args:
        log: Of the module whose round it is.
        interrupted: Event of an error that the round may meet, such as an outage.
        failed: Event of a bug, logged with its traceback.
    """
    try:
        yield
    except FacefleetError as error:
        log.warning(interrupted, code=error.code, cause=error.detail.get("cause"))
    except Exception:
        log.exception(failed)
