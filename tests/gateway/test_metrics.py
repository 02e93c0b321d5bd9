"""A scrape tells the truth, quickly, whatever is away; and every request at the door is counted once."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from tests.gateway.conftest import Door, Open
from tests.servers import PostgresServer, ValkeyServer, wait_until
from tests.tasks.fakes import an_entry

from facefleet.clock import now
from facefleet.observability.bounded_read import READ_TIMEOUT_SECONDS
from facefleet.storage.folder import FolderStore
from facefleet.tasks.lanes import Lane
from facefleet.tasks.routes import STABLE
from facefleet.tasks.switches import MAINTENANCE, Switches, pause_of

QUICK_SECONDS = 2 * READ_TIMEOUT_SECONDS + 1  # both parts stuck, on a busy machine


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A broker the test may kill."""
    with ValkeyServer(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """Records the test may stop."""
    with PostgresServer() as server:
        yield server


def scrape(door: Door) -> str:
    began = time.monotonic()
    answer = door.client.get("/metrics")
    assert answer.status_code == 200
    assert time.monotonic() - began < QUICK_SECONDS
    return answer.text


def value(door: Door, sample: str) -> float | None:
    for line in scrape(door).splitlines():
        if line.startswith(f"{sample} "):
            return float(line.rpartition(" ")[2])
    return None


def outcome(door: Door, code: str) -> float:
    return value(door, f'facefusion_requests_total{{kind="fuse",outcome="{code}"}}') or 0.0


# ── what the records say ─────────────────────────────────────────────────────────────────────────────────────────────


def test_waiting_running_and_the_age_of_the_oldest_are_the_records(door: Door, photo: bytes) -> None:
    lane = 'lane="standard",track="stable"'
    assert value(door, f'facefusion_tasks{{lane="standard",state="queued",track="{STABLE}"}}') == 0
    assert value(door, f"facefusion_queue_oldest_seconds{{{lane}}}") == 0, "the records say that nothing waits"
    ids = [door.submit(source=photo, target=photo).json()["task_id"] for _ in range(3)]
    accepted = time.monotonic()
    assert door.records.claim(ids[2], timedelta(minutes=1), {}) is not None
    time.sleep(1.0)
    oldest = value(door, f"facefusion_queue_oldest_seconds{{{lane}}}")
    assert oldest is not None
    assert 1.0 <= oldest <= time.monotonic() - accepted + 5.0
    assert value(door, 'facefusion_tasks{lane="standard",state="queued",track="stable"}') == 2
    assert value(door, 'facefusion_tasks{lane="standard",state="running",track="stable"}') == 1
    assert value(door, 'facefusion_tasks{lane="bulk",state="queued",track="stable"}') == 0


def test_what_operators_switched_on_shows_at_the_next_scrape(door: Door) -> None:
    switches = Switches(door.parts.database, now)
    assert value(door, "facefusion_maintenance") == 0
    switches.on(MAINTENANCE, an_entry())
    switches.on(pause_of(STABLE, Lane.BULK), an_entry())
    assert value(door, "facefusion_maintenance") == 1
    assert value(door, 'facefusion_lane_paused{lane="bulk",track="stable"}') == 1
    assert value(door, 'facefusion_lane_paused{lane="standard",track="stable"}') == 0


# ── outages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.needs_server
def test_while_the_broker_is_away_its_samples_are_and_the_outage_is_counted(
    open_door: Open, mortal: ValkeyServer
) -> None:
    door = open_door(queue={"url": mortal.url})
    depth = 'facefusion_queue_depth{lane="standard",track="stable"}'
    assert value(door, depth) == 0
    assert value(door, 'facefusion_outages_total{part="broker"}') == 0
    mortal.kill()
    assert value(door, depth) is None
    assert value(door, "facefusion_maintenance") == 0, "the records answer"
    assert (value(door, 'facefusion_outages_total{part="broker"}') or 0) >= 1
    mortal.start()
    wait_until(lambda: value(door, depth) == 0, "the broker is read again")


@contextmanager
def away(server: PostgresServer, how: str) -> Iterator[None]:
    """Without PostgreSQL: dead, or alive and mute."""
    assert server.pid is not None
    if how == "killed":
        server.kill()
        yield
        server.start()
        return
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    family = [server.pid, *map(int, children)]
    try:
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.needs_server
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_while_the_records_are_away_their_samples_are_and_the_scrape_is_quick(
    open_door: Open, postgres: PostgresServer, how: str
) -> None:
    door = open_door(records={"url": postgres.new_database()})
    outages = 'facefusion_outages_total{part="records"}'
    assert (value(door, "facefusion_maintenance"), value(door, outages)) == (0, 0)
    with away(postgres, how):
        text = scrape(door)
        assert "facefusion_tasks{" not in text
        assert "\nfacefusion_maintenance " not in text
        assert 'facefusion_queue_depth{lane="standard",track="stable"} 0.0' in text, "the broker answers"
        if how == "killed":  # of a mute one it is known only when its time is over
            wait_until(lambda: (value(door, outages) or 0) >= 1, "the outage is counted")
    wait_until(lambda: value(door, "facefusion_maintenance") == 0, "the records are read again", 30.0)


def test_a_store_that_is_away_is_counted(door: Door, photo: bytes) -> None:
    assert value(door, 'facefusion_outages_total{part="store"}') == 0
    shutil.rmtree(door.settings.data / "objects")
    assert door.submit(source=photo, target=photo).json()["code"] == "store_unavailable"
    assert (value(door, 'facefusion_outages_total{part="store"}') or 0) >= 1
    assert outcome(door, "store_unavailable") == 1


# ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_counted_whichever_layer_refuses_it(open_door: Open, photo: bytes) -> None:
    door = open_door(images={"max_bytes": 50_000})
    files = {"source": photo, "target": photo}
    assert door.client.post("/v1/fuse", files=files, headers={"host": "rebound.example"}).status_code == 400
    assert door.client.post("/v1/fuse", content=b"-" * 500_000).status_code == 413
    endless, kind = iter([b"-" * 100_000] * 5), {"content-type": "multipart/form-data; boundary=b"}
    assert door.client.post("/fuse", content=endless, headers=kind).status_code == 413
    assert door.submit(source=photo, target=photo, consent=None).status_code == 422
    assert door.submit(source=photo, target=photo).status_code == 202
    assert outcome(door, "request_invalid") == 1
    assert outcome(door, "upload_too_large") == 2
    assert outcome(door, "consent_required") == 1
    assert outcome(door, "accepted") == 1
    assert scrape(door).count("facefusion_requests_total{") == 4


def test_what_asks_for_no_fusion_is_not_counted_as_one(door: Door) -> None:
    assert door.client.get("/v1/fuse").status_code == 405
    assert door.client.get("/v1/tasks/0").status_code == 404
    assert "facefusion_requests_total{" not in scrape(door)


def test_a_client_that_leaves_before_its_answer_is_counted(door: Door) -> None:
    url = door.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as client:
        head = (
            f"POST /v1/fuse HTTP/1.1\r\nHost: {url.host}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b"
        )
        client.sendall(head.encode())
    wait_until(lambda: outcome(door, "client_went_away") == 1, "it is counted")


def test_a_bug_is_counted_as_one(door: Door, photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(FolderStore, "put", broken)
    assert door.submit(source=photo, target=photo).status_code == 500
    assert outcome(door, "internal") == 1
