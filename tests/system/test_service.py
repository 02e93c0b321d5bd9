"""Whichever part dies, every task that was accepted is done, once."""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.servers import wait_until
from tests.system.conftest import Running

from facefleet.client import Task as Handle
from facefleet.media.sniff import ImageType, sniff
from facefleet.safety.marking import read_mark
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

pytestmark = pytest.mark.needs_server

Photos = tuple[bytes, bytes]


def submit(service: Running, photos: Photos, count: int) -> list[Handle]:
    return [service.client.fuse(*photos, consent=True) for _ in range(count)]


def assert_done_once(service: Running, tasks: list[Task]) -> None:
    for task in tasks:
        assert task.state is State.SUCCEEDED
        assert service.results(task.id) == [str(task.fence)]


def test_two_photos_in_and_a_marked_photo_out(healed: Running, photos: Photos) -> None:
    service, before, said = healed, succeeded(healed), len(healed.log("worker").splitlines())
    finished = service.client.fuse(*photos, consent=True, strength=0.8).wait(60.0)
    image = finished.image()
    assert sniff(image).type is ImageType.PNG
    assert sniff(image).width == sniff(photos[1]).width
    mark = read_mark(image)
    assert mark is not None
    assert mark["ProduceID"] == finished.id
    assert succeeded(service) == before + 1
    lines = [json.loads(line) for line in service.log("worker").splitlines()[said:] if line.startswith("{")]
    own = [line for line in lines if line["event"].startswith("task.")]
    assert {line["task_id"] for line in own} == {finished.id}


def succeeded(service: Running) -> float:
    """Fusions that the worker that runs now has done."""
    text = service.http.get(f"{service.addresses.worker}/metrics").text
    name = re.escape('facefusion_process_seconds_count{kind="fuse",outcome="succeeded"}')
    return sum(map(float, re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)))


def test_a_worker_killed_in_the_middle_of_a_task_loses_nothing(healed: Running, photos: Photos) -> None:
    service, accepted = healed, submit(healed, photos, 4)
    ids = [one.id for one in accepted]
    wait_until(lambda: any(service.task(i).state is State.RUNNING for i in ids), "a task runs", 30.0)
    service.kill("worker")
    caught = [i for i in ids if service.task(i).state is State.RUNNING]
    assert caught, "the worker was killed between two tasks; the photo is too small"
    tasks = [service.finish(one) for one in accepted]
    assert_done_once(service, tasks)
    again = [task for task in tasks if task.id in caught]
    assert [(task.fence, task.lost, task.failures) for task in again] == [(2, 1, 0)] * len(caught)
    others = [task for task in tasks if task.id not in caught]
    assert {task.lost for task in others} <= {0}


def test_a_broker_that_comes_back_empty_loses_nothing(healed: Running, photos: Photos) -> None:
    service, accepted = healed, submit(healed, photos, 6)
    service.kill("valkey")
    shutil.rmtree(service.settings.data / "valkey" / "appendonlydir")
    accepted += submit(service, photos, 1)  # a 202 does not wait for the broker
    assert_done_once(service, [service.finish(one) for one in accepted])


def test_a_worker_whose_hands_are_full_when_the_broker_dies_goes_on(healed: Running, small: Photos) -> None:
    """Its acknowledgements fail; messages that stay unacknowledged must not keep it from asking for more."""
    service, before = healed, succeeded(healed)
    with ThreadPoolExecutor() as clients:
        waves = [clients.submit(submit, service, small, 30) for _ in range(2)]
        wait_until(lambda: succeeded(service) > before, "the worker is in the middle of it")
        service.kill("valkey")
        accepted = [one for wave in waves for one in wave.result()]
    assert_done_once(service, [service.finish(one) for one in accepted])


def test_a_gateway_killed_after_its_202_loses_nothing(healed: Running, photos: Photos) -> None:
    service, accepted = healed, submit(healed, photos, 3)
    service.kill("gateway")
    ids = [one.id for one in accepted]
    wait_until(lambda: all(service.task(i).state is State.SUCCEEDED for i in ids), "all are done", 60.0)
    assert_done_once(service, [service.task(i) for i in ids])


def test_a_second_start_goes_on_with_what_was_unfinished(data: Path, photos: Photos) -> None:
    first = Running(data)
    try:
        accepted = submit(first, photos, 4)
    finally:
        first.close()
    second = Running(data)
    try:
        assert_done_once(second, [second.finish(one) for one in accepted])
    finally:
        second.close()
