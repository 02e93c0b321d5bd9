"""One message, top to bottom, and every way it can end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from obstore.store import MemoryStore
from structlog.testing import capture_logs
from tests.engine.pictures import under_blue_light
from tests.servers import wait_until
from tests.tasks.fakes import LEASE, AllRecords, a_task
from tests.worker.conftest import Bench, Build

from facefleet.access.policy import Policies, Policy
from facefleet.engine.fusion import Engine
from facefleet.engine.types import Picture
from facefleet.errors.model import OutOfMemory
from facefleet.errors.outage import RecordsUnavailable, RecordsUncertain, StoreUnavailable
from facefleet.media.sniff import ImageType, sniff
from facefleet.observability import logs
from facefleet.safety.marking import read_mark
from facefleet.storage.store import Content, ObjectStore
from facefleet.tasks.kinds import KINDS, Kind, Result
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State
from facefleet.worker import leases
from facefleet.worker.outcome import Outcome


def blank() -> bytes:
    done, data = cv2.imencode(".png", np.full((200, 200, 3), 128, np.uint8))
    assert done
    return data.tobytes()


def test_a_task_becomes_a_marked_picture_in_the_targets_format(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    task = bench.queue(*photos)
    bench.runner(task.id)
    done = bench.read(task)
    assert done.state is State.SUCCEEDED
    assert done.result == f"tenants/acme/results/{task.id}/1"
    image = bench.store.get(done.result)
    assert sniff(image).type is ImageType.JPEG is ImageType(done.result_type or "")
    mark = read_mark(image)
    assert mark is not None
    assert (mark["Label"], mark["ContentProducer"], mark["ProduceID"]) == ("1", "acme studio", task.id)
    assert set(done.models) >= {"face_landmark"}
    assert {"queued", "load", "decode", "detect", "encode", "mark", "store"} <= set(done.timings_ms)
    assert done.result is not None
    assert done.bytes_out == len(bench.store.get(done.result))
    assert 0 < done.seconds < 60
    assert (done.fence, done.failures, done.progress) == (1, 0, 1.0)
    assert done.output == {"faces": [{"index": 0, "strength": 1.0}], "skipped": []}


def test_a_second_message_of_the_same_task_does_nothing(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    task = bench.queue(*photos)
    bench.runner(task.id)
    once = bench.read(task)
    bench.runner(task.id)
    assert bench.read(task) == once
    assert len(bench.results()) == 1


def test_a_task_of_a_kind_that_a_worker_does_not_know_is_left_to_one_that_does(bench: Bench) -> None:
    task = bench.records.add(a_task(bench.clock(), kind=Kind.VIDEO))
    bench.runner(task.id)
    assert bench.read(task) == task
    newer = replace(bench.runner, handlers={Kind.VIDEO: lambda *_: Outcome(output={"frames": 1})})
    newer(task.id)
    done = bench.read(task)
    assert (done.state, done.fence, done.output) == (State.SUCCEEDED, 1, {"frames": 1})


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (Kind.FUSE, Outcome(output={"faces": []})),
        (Kind.DETECT, Outcome(Picture(b"not marked", ImageType.JPEG))),
        (Kind.TEMPLATE, Outcome(Picture(b"not marked", ImageType.JPEG))),
    ],
)
def test_what_a_handler_made_against_the_table_of_kinds_is_not_stored(
    bench: Bench, kind: Kind, outcome: Outcome
) -> None:
    task = bench.records.add(a_task(bench.clock(), kind=kind))
    replace(bench.runner, handlers={kind: lambda _: outcome})(task.id)
    stored = bench.read(task)
    assert stored.failure is not None
    assert (stored.state, stored.failure.code, stored.result) == (State.FAILED, "internal", None)
    assert bench.results() == []


@pytest.mark.parametrize("kind", [kind for kind, row in KINDS.items() if row.result is not Result.WORDS])
def test_every_file_that_a_kind_leaves_is_marked(kind: Kind) -> None:
    assert KINDS[kind].marked


def test_bad_input_fails_at_once_with_its_code(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    expected = {
        "face_not_found": bench.queue(blank(), photos[1]),
        "image_decode_failed": bench.queue(photos[0], photos[1][:20_000]),
        "face_index_invalid": bench.queue(*photos, source_face=7),
    }
    for code, task in expected.items():
        bench.runner(task.id)
        failed = bench.read(task)
        assert failed.state is State.FAILED
        assert failed.failure is not None
        assert failed.failure.code == code
        assert failed.failure.detail["field"] == ("target" if code == "image_decode_failed" else "source")
        assert (failed.fence, failed.failures) == (1, 0)
    assert bench.results() == []


def test_an_upload_that_vanished_fails_the_task(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    task = bench.queue(*photos)
    bench.store.delete(task.inputs["source"])
    bench.runner(task.id)
    failure = bench.read(task).failure
    assert failure is not None
    assert failure.code == "object_missing"


def test_a_result_that_does_not_look_right_becomes_a_weaker_blend_where_the_caller_allows_it(
    bench: Bench, samples: Mapping[str, Path]
) -> None:
    photos = samples["portrait_man"].read_bytes(), under_blue_light(samples["smiling_woman"].read_bytes())
    strict, lenient = bench.queue(*photos), bench.queue(*photos, strength=0.9, min_strength=0.3)
    for task in (strict, lenient):
        bench.runner(task.id)
    refused, weaker = bench.read(strict), bench.read(lenient)
    assert refused.failure is not None
    assert (refused.failure.code, refused.output) == ("fusion_quality_low", None)
    assert weaker.output is not None
    faces: Any = weaker.output["faces"]
    assert (weaker.state, [face["index"] for face in faces]) == (State.SUCCEEDED, [0])
    assert 0.3 <= faces[0]["strength"] < 0.9


class Outages(ObjectStore):
    """A store whose next results are not taken."""

    def __init__(self, refusals: int) -> None:
        super().__init__(MemoryStore())
        self.refusals = refusals

    def put(self, key: str, content: Content) -> None:
        if "/results/" in key and self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("The object store did not answer; try again.")
        super().put(key, content)


def test_an_outage_is_tried_again_after_a_growing_delay(build: Build, photos: tuple[bytes, bytes]) -> None:
    bench = build(Outages(2))
    task = bench.queue(*photos)
    delays = []
    for runs in (1, 2):
        bench.runner(task.id)
        waiting = bench.read(task)
        assert (waiting.state, waiting.failures, waiting.sent_at) == (State.QUEUED, 0, None)
        delays.append((waiting.run_at - bench.clock()).total_seconds())
        bench.runner(task.id)  # too early: a message before its time is no claim
        assert bench.read(task).fence == runs
        bench.clock.advance(delays[-1])
    assert 1 <= delays[0] <= 2 <= delays[1] <= 4
    bench.runner(task.id)
    done = bench.read(task)
    assert (done.state, done.fence) == (State.SUCCEEDED, 3)
    assert bench.results() == [done.result]


def test_outages_spend_no_budget(build: Build, photos: tuple[bytes, bytes]) -> None:
    bench = build(Outages(9))
    task = bench.queue(*photos)
    for _ in range(10):
        bench.runner(task.id)
        bench.clock.advance(300)
    assert bench.read(task).state is State.SUCCEEDED


class Full(ObjectStore):
    """Not the store, but the process has no room for the photo."""

    def get(self, key: str) -> bytes:
        raise OutOfMemory(f"There was not enough memory for {key}.")


def test_a_photo_that_never_fits_ends_after_three_tries_a_minute_apart(
    build: Build, photos: tuple[bytes, bytes]
) -> None:
    bench = build(Full(MemoryStore()))
    task = bench.queue(*photos)
    for failures in (1, 2):
        bench.runner(task.id)
        waiting = bench.read(task)
        assert (waiting.state, waiting.failures) == (State.QUEUED, failures)
        assert (waiting.run_at - bench.clock()).total_seconds() == 60
        bench.clock.advance(60)
    bench.runner(task.id)
    failed = bench.read(task)
    assert failed.state is State.FAILED
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.detail["cause"]) == ("attempts_exhausted", "out_of_memory")


class Slow(ObjectStore):
    """A store that lets time pass before it takes a result, as a worker that was stopped and woke up would."""

    bench: Bench

    def put(self, key: str, content: Content) -> None:
        super().put(key, content)
        if key.endswith("/1"):
            self.bench.clock.advance(2 * LEASE.total_seconds())
            lost = self.bench.records.expired()
            assert [self.bench.records.requeue_lost(task) for task in lost] == [True]
            self.bench.runner(lost[0].id)


def test_a_worker_back_from_the_dead_makes_no_second_result(build: Build, photos: tuple[bytes, bytes]) -> None:
    store = Slow(MemoryStore())
    bench = build(store)
    store.bench = bench
    task = bench.queue(*photos)
    bench.runner(task.id)
    done = bench.read(task)
    assert (done.state, done.fence, done.lost) == (State.SUCCEEDED, 2, 1)
    assert bench.results() == [f"tenants/acme/results/{task.id}/2"] == [done.result]


def test_a_bug_ends_the_task_and_not_the_worker(
    bench: Bench, photos: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "fuse", lambda *_, **__: 1 // 0)
    task = bench.queue(*photos)
    bench.runner(task.id)
    failure = bench.read(task).failure
    assert failure is not None
    assert (failure.code, failure.detail) == ("internal", {"cause": "ZeroDivisionError"})


def test_records_that_are_away_leave_the_task_to_the_sweeper(
    bench: Bench, photos: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = bench.queue(*photos)

    def away(*_: object, **__: object) -> None:
        raise RecordsUnavailable("The database did not answer; try again.")

    with monkeypatch.context() as patch:
        patch.setattr(leases, "COMMIT_SECONDS", 0.1)
        patch.setattr(type(bench.records), "succeed", away)
        bench.runner(task.id)
    assert bench.read(task).state is State.RUNNING
    bench.clock.advance(2 * LEASE.total_seconds())
    assert [t.id for t in bench.records.expired()] == [task.id]


@pytest.mark.parametrize("committed", [True, False])
def test_an_outcome_is_told_again_when_the_records_are_back(
    bench: Bench, photos: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """Even where the first telling was heard and only its answer lost."""
    task, outages = bench.queue(*photos), iter([RecordsUncertain("The database went away while it wrote.")])
    succeed = AllRecords.succeed

    def away(*arguments: Any, **cost: Any) -> bool:
        outage = next(outages, None)
        if outage is None or committed:
            heard = succeed(*arguments, **cost)
        if outage is not None:
            raise outage
        return heard

    monkeypatch.setattr(AllRecords, "succeed", away)
    bench.runner(task.id)
    done = bench.read(task)
    assert (done.state, done.fence) == (State.SUCCEEDED, 1)
    assert bench.results() == [done.result]


def lose_worker(bench: Bench, task: Task, times: int) -> None:
    for _ in range(times):
        run = bench.records.claim(task.id, LEASE, {})
        assert run is not None
        bench.clock.advance(2 * LEASE.total_seconds())
        assert bench.records.requeue_lost(run)


def test_a_task_that_lost_two_workers_waits_unclaimed_until_it_is_alone(
    bench: Bench, photos: tuple[bytes, bytes]
) -> None:
    suspect, neighbour = bench.queue(*photos), bench.queue(*photos)
    lose_worker(bench, suspect, 2)
    lock = bench.runner.lock
    with ThreadPoolExecutor(2) as threads:
        with lock.shared():
            runs = [threads.submit(bench.runner, suspect.id)]
            wait_until(lambda: lock.waiting == 1, "the suspect waits")
            runs += [threads.submit(bench.runner, neighbour.id)]
            wait_until(lambda: lock.waiting == 2, "who comes after it waits too")
            assert [bench.read(task).state for task in (suspect, neighbour)] == [State.QUEUED] * 2
        for run in runs:
            run.result(timeout=30)
    first, second = bench.read(suspect), bench.read(neighbour)
    assert [first.state, second.state] == [State.SUCCEEDED] * 2
    assert lock.waiting == 0


def test_a_task_that_lost_one_worker_still_runs_beside_others(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    task = bench.queue(*photos)
    lose_worker(bench, task, 1)
    with bench.runner.lock.shared():
        bench.runner(task.id)
    assert bench.read(task).state is State.SUCCEEDED


def test_every_line_of_a_task_carries_its_id(
    bench: Bench, photos: tuple[bytes, bytes], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs.configure("info", "json")
    task = bench.queue(*photos)
    bench.runner(task.id)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["task.claimed", "task.succeeded"]
    assert {line["task_id"] for line in lines} == {task.id}
    assert {line["fence"] for line in lines} == {1}


def test_a_task_that_finds_no_place_waits_and_the_log_says_so(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    running, task = bench.queue(*photos), bench.queue(*photos)
    assert bench.records.claim(running.id, LEASE, {}) is not None
    with capture_logs() as lines:
        replace(bench.runner, policies=lambda: Policies(default=Policy(concurrency=1)))(task.id)
    assert [line["event"] for line in lines] == ["task.postponed"]
    waiting = bench.read(task)
    assert (waiting.state, waiting.fence, waiting.failures, waiting.sent_at) == (State.QUEUED, 0, 0, None)
    bench.clock.now = waiting.run_at
    bench.runner(task.id)
    assert bench.read(task).state is State.SUCCEEDED
