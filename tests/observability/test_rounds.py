"""An error ends a round and is logged by the event it is due; the loop goes on, and what ends programs gets through."""

from __future__ import annotations

import pytest
import structlog

from facefleet.errors.outage import RecordsUnavailable
from facefleet.observability.logs import logger
from facefleet.observability.rounds import round_of


def end_by(error: BaseException) -> None:
    raise error


def events_of(error: BaseException) -> list[tuple[str, str]]:
    with (
        structlog.testing.capture_logs() as entries,
        round_of(logger(__name__), interrupted="x.interrupted", failed="x.failed"),
    ):
        end_by(error)
    return [(entry["event"], entry["log_level"]) for entry in entries]


def test_an_outage_is_a_warning_and_a_bug_an_error() -> None:
    assert events_of(RecordsUnavailable("away")) == [("x.interrupted", "warning")]
    assert events_of(ZeroDivisionError()) == [("x.failed", "error")]


def test_what_ends_the_program_ends_the_loop() -> None:
    with pytest.raises(KeyboardInterrupt):
        events_of(KeyboardInterrupt())
