"""Checks run side by side, and none of them stops the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

from facefleet.doctor.examination import Check, examine
from facefleet.doctor.report import Finding, State
from facefleet.errors.outage import QueueUnavailable

FINE = Finding("fine", State.OK, "all is well")


def fine() -> list[Finding]:
    return [FINE]


def test_findings_come_in_the_order_of_the_checks() -> None:
    first_goes_on = Event()

    def first() -> list[Finding]:
        assert first_goes_on.wait(10)
        return [Finding("first", State.OK, "")]

    def second() -> list[Finding]:
        first_goes_on.set()  # so both run at the same time
        return [Finding("second", State.OK, ""), FINE]

    found = examine([Check("first", first), Check("second", second)])
    assert [finding.check for finding in found] == ["first", "second", "fine"]


def test_a_check_that_hangs_is_broken_and_holds_nothing_up() -> None:
    never = Event()

    def hang() -> list[Finding]:
        never.wait(60)
        return []

    began = time.monotonic()
    hung = Check("store", hang, 0.2, "servers.store", "required", "Look at it.")
    found = examine([hung, Check("too", hang, 0.2), Check("fine", fine)])
    assert time.monotonic() - began < 10
    never.set()
    assert found[0] == Finding(
        "store", State.BROKEN, "no answer within 0.2 s", "Look at it.", "servers.store", "required"
    )
    assert found[2] == FINE


def test_an_error_of_ours_tells_its_message_and_its_cause() -> None:
    def away() -> Iterator[Finding]:
        yield FINE
        raise QueueUnavailable("The broker did not answer.", cause="TimeoutError")

    (found,) = examine([Check("broker", away)])
    assert found == Finding("broker", State.BROKEN, "The broker did not answer. (TimeoutError)")


def test_an_unknown_error_does_not_tell_its_message_which_could_hold_a_password() -> None:
    def burst() -> list[Finding]:
        raise RuntimeError("redis://:open-sesame@broker:6379")

    def full() -> list[Finding]:
        raise OSError(28, "No space left on device", "/secret")

    found = examine([Check("broker", burst), Check("disk", full)])
    assert [one.found for one in found] == ["RuntimeError", "OSError: No space left on device"]
    assert {one.state for one in found} == {State.BROKEN}


def test_a_package_that_is_missing_is_skipped_unless_the_contract_needs_it() -> None:
    def absent() -> list[Finding]:
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    found = examine(
        [Check("models", absent, advice="Install it."), Check("models", absent, 5.0, "models.digests", "true", "I")]
    )
    assert found[0] == Finding("models", State.SKIPPED, "cv2 is not installed")
    assert found[1] == Finding("models", State.BROKEN, "cv2 is not installed", "I", "models.digests", "true")


def test_a_package_that_cannot_be_imported_is_broken_with_the_reason() -> None:
    def broken() -> list[Finding]:
        raise ImportError("libGL.so.1: cannot open shared object file")

    (found,) = examine([Check("models", broken)])
    assert found.state is State.BROKEN
    assert "libGL.so.1" in found.found
