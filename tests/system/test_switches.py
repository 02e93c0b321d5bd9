"""What operators switch on holds within seconds, in every program, and ends when they switch it off."""

from __future__ import annotations

import time

import pytest
from tests.servers import wait_until
from tests.system.conftest import Running
from tests.tasks.fakes import an_entry

from facefleet.clock import now
from facefleet.tasks.lanes import Lane
from facefleet.tasks.routes import STABLE
from facefleet.tasks.switches import Switches, pause_of
from facefleet.tasks.transitions import State

pytestmark = pytest.mark.needs_server


@pytest.mark.parametrize(
    "lanes",
    [pytest.param([Lane.STANDARD], id="one"), pytest.param(list(Lane), id="every", marks=pytest.mark.system)],
)
def test_the_tasks_of_a_paused_lane_wait_in_the_broker_and_run_on_resume(
    service: Running, small: tuple[bytes, bytes], lanes: list[Lane]
) -> None:
    switches = Switches(service.database, now)
    for lane in lanes:
        switches.on(pause_of(STABLE, lane), an_entry(), "a test")
    time.sleep(3.0)  # until every worker knows, and has looked for the last time: the bound the guide promises
    accepted = [service.client.fuse(*small, consent=True) for _ in range(2)]
    ids = [one.id for one in accepted]
    time.sleep(2 * service.settings.sweeper.grace)  # long enough for the sweeper to miss what is not missing
    assert [service.task(i).state for i in ids] == [State.QUEUED] * 2
    metrics = service.http.get("/metrics").text
    assert 'facefusion_queue_depth{lane="standard",track="stable"} 2.0' in metrics
    assert "facefusion_sweeper_actions_total{" not in metrics
    assert service.http.get(f"{service.addresses.worker}/healthz").status_code == 200
    for lane in lanes:
        switches.off(pause_of(STABLE, lane), an_entry())
    wait_until(lambda: any(service.task(i).state is not State.QUEUED for i in ids), "the lane is served again", 12.0)
    assert [(task.state, task.fence) for task in map(service.finish, accepted)] == [(State.SUCCEEDED, 1)] * 2
