"""The report: its exit status and its document."""

from __future__ import annotations

from facefleet.doctor.report import Finding, Report, State, hold

OK = Finding("clock", State.OK, "right")
WARNING = Finding("broker.eviction", State.WARNING, "allkeys-lru", "Change it.")
SKIPPED = Finding("broker", State.SKIPPED, "not set")
BROKEN = Finding("models", State.BROKEN, "damaged", "Fetch them.")
HELD = Finding("memory", State.BROKEN, "1 GiB", "Give it more.", "memory.at_least", "2 GiB")


def status(*findings: Finding) -> int:
    return Report("1.0", "", findings).status


def test_the_status_is_of_the_worst_finding() -> None:
    assert status() == status(OK, WARNING, SKIPPED) == 0
    assert status(OK, BROKEN, WARNING) == 1
    assert status(OK, HELD) == status(BROKEN, HELD) == 3


def test_the_document_has_exactly_the_documented_fields() -> None:
    document = Report("1.0", "worker.toml", [HELD]).document()
    assert document == {
        "format": 1,
        "facefleet": "1.0",
        "ok": False,
        "status": 3,
        "contract": "worker.toml",
        "checks": [{
            "check": "memory", "state": "broken", "found": "1 GiB", "advice": "Give it more.",
            "line": "memory.at_least", "wanted": "2 GiB",
        }],
    }  # fmt: skip
    assert Report("1.0", "", [OK]).document()["contract"] is None


def test_a_line_that_is_kept_changes_nothing_of_the_finding_and_a_broken_one_says_what_to_do() -> None:
    kept = hold(WARNING, "servers.broker", "required", kept=True, advice="Do.")
    assert (kept.state, kept.advice, kept.line, kept.wanted) == (
        State.WARNING,
        "Change it.",
        "servers.broker",
        "required",
    )
    broken = hold(OK, "memory.at_least", 5, kept=False, advice="Do.")
    assert (broken.state, broken.advice, broken.wanted) == (State.BROKEN, "Do.", "5")
    assert hold(OK, "a.b", 5, kept=False, advice="Do.", otherwise=State.WARNING).state is State.WARNING
