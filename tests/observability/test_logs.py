"""What is written: one line an event, in one shape, with nothing in it that must not be."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from facefleet.observability import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The JSON lines written since the last look."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_json_line_with_level_logger_and_utc_time(lines: Lines) -> None:
    logs.configure("info", "json")
    logs.logger("facefleet.worker").info("task.claimed", failures=1, note="two\nlines, “中文”")
    (line,) = lines()
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() is not None
    assert line == {
        "event": "task.claimed", "level": "info", "logger": "facefleet.worker", "pid": os.getpid(),
        "failures": 1, "note": "two\nlines, “中文”",
    }  # fmt: skip


def test_what_is_bound_is_on_every_line_of_the_block_and_on_none_after(lines: Lines) -> None:
    logs.configure("info", "json")
    log = logs.logger("facefleet")
    with logs.bound(task_id="t1"), logs.bound(tenant="acme"):
        log.info("inside")
        logging.getLogger("some.library").warning("also inside")
    log.info("outside")
    inside, library, outside = lines()
    assert (inside["task_id"], inside["tenant"]) == ("t1", "acme")
    assert (library["task_id"], library["tenant"]) == ("t1", "acme")
    assert not {"task_id", "tenant"} & outside.keys()


def test_threads_do_not_see_what_another_bound(lines: Lines) -> None:
    logs.configure("info", "json")

    def work(number: int) -> None:
        with logs.bound(task_id=number):
            for _ in range(20):
                logs.logger("facefleet").info("step", number=number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    found = lines()
    assert len(found) == 80
    assert all(line["task_id"] == line["number"] for line in found)


def test_less_severe_lines_are_not_written(lines: Lines) -> None:
    logs.configure("warning", "json")
    log = logs.logger("facefleet")
    log.debug("no")
    log.info("no")
    log.warning("yes")
    logging.getLogger("some.library").info("no")
    log.error("yes")
    assert [line["event"] for line in lines()] == ["yes", "yes"]


@pytest.mark.parametrize("name", ["httpx", "celery.worker", "kombu.connection", "alembic.runtime", "uvicorn.error"])
def test_libraries_are_heard_from_warnings_on_in_our_shape(lines: Lines, name: str) -> None:
    logs.configure("debug", "json")
    logging.getLogger(name).info("GET /secret?token=1")
    logging.getLogger(name).warning("gave up after %d tries", 3)
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == ("gave up after 3 tries", "warning", name)


def stumble() -> None:
    password = "hunter" + str(1 + 1)  # so that the line itself, which a traceback shows, has it not
    assert password
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_is_written_without_the_values_of_variables(capsys: pytest.CaptureFixture[str], style: str) -> None:
    """They may be photos, passwords, or a tenant's rows."""
    logs.configure("info", style)
    try:
        stumble()
    except ZeroDivisionError:
        logs.logger("facefleet").exception("sweep.failed")
    written = capsys.readouterr().err
    assert "ZeroDivisionError" in written
    assert "stumble" in written
    assert "hunter2" not in written
    assert "locals" not in written
    if style == "json":
        (line,) = written.splitlines()
        assert json.loads(line)["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_a_library_s_traceback_is_one_json_line_too(lines: Lines) -> None:
    logs.configure("info", "json")
    try:
        stumble()
    except ZeroDivisionError:
        logging.getLogger("some.library").exception("it broke")
    (line,) = lines()
    assert line["exception"][0]["exc_value"] == "by zero"
    assert "hunter2" not in json.dumps(line)


def test_what_is_no_json_is_written_all_the_same(lines: Lines) -> None:
    logs.configure("info", "json")
    logs.logger("facefleet").info("odd", value=object(), raw=b"\xff")
    assert lines()[0]["event"] == "odd"


def test_console_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    logs.logger("facefleet").info("gateway.ready", port=8080)
    written = capsys.readouterr().err
    assert "gateway.ready" in written
    assert "8080" in written
    assert not written.startswith("{")


def test_without_a_terminal_lines_are_json(lines: Lines) -> None:
    logs.configure()
    logs.logger("facefleet").info("gateway.ready")
    assert lines()[0]["event"] == "gateway.ready"


def test_configured_twice_a_line_is_written_once(lines: Lines) -> None:
    logs.configure("info", "json")
    logs.configure("info", "json")
    logs.logger("facefleet").info("once")
    assert len(lines()) == 1


def test_a_logger_made_before_the_set_up_follows_it(lines: Lines) -> None:
    """Modules make theirs at import."""
    early = logs.logger("facefleet.early")
    logs.configure("info", "json")
    early.info("now")
    assert lines()[0]["logger"] == "facefleet.early"


def test_a_stream_that_was_replaced_and_closed_is_written_to_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with io.StringIO() as before:
        monkeypatch.setattr("sys.stderr", before)
        logs.configure("info", "json")
        monkeypatch.undo()
    logs.logger("facefleet").info("late")
    assert json.loads(capsys.readouterr().err)["event"] == "late"
