"""A part that died comes back: soon when it left in peace, ever later when it keeps dying young."""

from __future__ import annotations

import itertools
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from facefleet.launcher.supervisor import FIRST_BACKOFF_SECONDS, ManagedProcess, Supervisor

DEATHS = 5


@pytest.mark.parametrize(("status", "grows_by"), [(1, 2), (0, 1)], ids=["failure", "leave"])
def test_the_pause_before_a_restart_grows_only_where_a_part_failed(status: int, grows_by: int, tmp_path: Path) -> None:
    stop, ticks = Event(), itertools.count()
    deaths: list[int] = []

    def ended(pid: int) -> None:
        deaths.append(pid)
        if len(deaths) == DEATHS:
            stop.set()

    supervisor = Supervisor(stop, clock=lambda: next(ticks) * FIRST_BACKOFF_SECONDS)  # a tick each time it looks
    command = ["/bin/sh", "-c", f"exit {status}"]
    supervisor.start(ManagedProcess("part", command, {}, ready=lambda: True, log=tmp_path / "log", ended=ended))
    with capture_logs() as lines:
        supervisor.watch()
    supervisor.shut_down()
    pauses = [line["restart_in"] for line in lines if line["event"] == "part.died"]
    assert pauses == [FIRST_BACKOFF_SECONDS * grows_by**death for death in range(DEATHS)]
