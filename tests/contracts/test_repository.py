"""What the repository of records must do, on a file and in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.tasks.fakes import LEASE, AllRecords, FakeClock, a_task

from facefleet.errors.conflict import TaskEnded
from facefleet.errors.input import FaceNotFound
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.outage import StoreUnavailable
from facefleet.errors.task import WorkerLost
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.routes import Route
from facefleet.tasks.task import Failure, Task, Webhook
from facefleet.tasks.transitions import State

GRACE = timedelta(seconds=5)
AWAY = StoreUnavailable("The object store did not answer; try again.", cause="Timeout")


def added(records: AllRecords, clock: FakeClock, **changes: object) -> Task:
    task = a_task(clock(), **changes)
    records.add(task)
    return task


def sent(records: AllRecords, clock: FakeClock, epoch: str = "e1", **changes: object) -> Task:
    task = a_task(clock(), **changes).sent(clock(), epoch)
    records.add(task)
    return task


def claimed(records: AllRecords, task: Task) -> Task:
    run = records.claim(task.id, LEASE, {})
    assert run is not None
    return run


def now_of(records: AllRecords, task: Task) -> Task:
    return records.get(task.tenant, task.id)


def ids(found: Sequence[Task]) -> list[str]:
    return [task.id for task in found]


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_field_survives_the_round_trip(records: AllRecords, clock: FakeClock) -> None:
    at = [clock() + timedelta(minutes=n, microseconds=n) for n in range(9)]
    task = replace(
        a_task(clock(), kind=Kind.VIDEO, lane="bulk", track="canary"),
        options={"strength": 0.5, "names": ["é", "中文"], "none": None},
        state=State.RUNNING, fence=3, failures=2, lost=1, version=9,
        lease_until=at[0], run_at=at[1], sent_at=at[2], sent_epoch="e1", deadline_at=at[3],
        progress=0.25, step="blend", result="tenants/acme/results/t/3", result_type="image/png",
        failure=Failure("store_unavailable", "It did not answer.", {"cause": "Timeout", "n": 1}),
        models={"detector": "1.2"}, timings_ms={"decode": 1.25},
        webhook=Webhook("https://example.org/hook", ("succeeded", "failed")),
        idempotency_key="order-17", request_digest="d" * 64, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        created_at=at[4], started_at=at[5], finished_at=at[6],
        inputs_kept=False, result_kept=False, hold=True, erased_at=at[7],
        batch="b1", item=7, template="t1", output={"faces": [{"index": 0}]},
        inspections=[{"role": "source", "check": "nsfw", "score": 0.0123, "verdict": "allowed"}],
        bytes_in=3_000_000_000, bytes_out=5_000_000_000, seconds=1.5,
        credential="key-1", digests={"source": "e" * 64}, plan="vip",
    )  # fmt: skip
    blank = a_task(clock())
    same = [f.name for f in fields(Task) if getattr(task, f.name) == getattr(blank, f.name)]
    assert same == ["tenant", "subject", "consent"], "a field this test does not fill is not tested"
    records.add(task)
    assert now_of(records, task) == task


def test_a_new_record_survives_the_round_trip_with_its_blanks(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock)
    assert now_of(records, task) == task


def test_a_time_in_another_zone_is_read_back_as_the_same_moment(records: AllRecords, clock: FakeClock) -> None:
    shanghai = timezone(timedelta(hours=8))
    task = a_task(datetime(2026, 11, 2, 17, 30, tzinfo=shanghai))
    records.add(task)
    found = now_of(records, task)
    assert found.created_at == task.created_at
    assert found.created_at.tzinfo == UTC


def test_another_tenants_task_is_not_found(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock, tenant="acme")
    with pytest.raises(TaskNotFound) as caught:
        records.get("globex", task.id)
    assert caught.value.detail["task_id"] == task.id


def test_an_unknown_task_is_not_found_and_its_name_is_cut(records: AllRecords) -> None:
    with pytest.raises(TaskNotFound) as caught:
        records.get("acme", "x" * 5000)
    assert len(caught.value.message) < 120
    assert caught.value.detail["task_id"] == "x" * 64


# ── the claim ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_claim_starts_a_run_under_a_lease(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock)
    clock.advance(2)
    run = records.claim(task.id, LEASE, {"detector": "1.2"})
    assert run is not None
    assert run == now_of(records, task)
    assert (run.state, run.fence, run.version) == (State.RUNNING, 1, 2)
    assert (run.lease_until, run.started_at, run.models) == (clock() + LEASE, clock(), {"detector": "1.2"})


def test_a_task_is_claimed_once(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock)
    claimed(records, task)
    assert records.claim(task.id, LEASE, {}) is None
    assert now_of(records, task).fence == 1


def test_of_eight_claiming_threads_one_gets_each_task(records: AllRecords, clock: FakeClock) -> None:
    wanted = [added(records, clock).id for _ in range(25)]

    def claim_all(_: int) -> list[str]:
        return [run.id for task_id in wanted if (run := records.claim(task_id, LEASE, {})) is not None]

    with ThreadPoolExecutor(8) as threads:
        got = Counter(task_id for mine in threads.map(claim_all, range(8)) for task_id in mine)
    assert got == dict.fromkeys(wanted, 1)
    assert {records.get("acme", task_id).fence for task_id in wanted} == {1}


def test_a_claim_before_its_time_is_refused(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock)
    records.retry(claimed(records, task), AWAY, clock() + timedelta(seconds=10))
    clock.advance(9.9)
    assert records.claim(task.id, LEASE, {}) is None
    clock.advance(0.1)
    assert records.claim(task.id, LEASE, {}) is not None


def test_a_claim_of_nothing_is_refused(records: AllRecords) -> None:
    assert records.claim("nobody", LEASE, {}) is None


def test_an_ended_task_is_never_claimed_again(records: AllRecords, clock: FakeClock) -> None:
    done, failed = added(records, clock), added(records, clock)
    records.succeed(claimed(records, done), "key", "image/png", {})
    records.fail(claimed(records, failed), FaceNotFound("No face."))
    assert records.claim(done.id, LEASE, {}) is None
    assert records.claim(failed.id, LEASE, {}) is None


def test_the_fence_rises_with_every_claim_and_the_first_start_stays(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock)
    began = clock()
    for fence in (1, 2, 3):
        run = claimed(records, task)
        assert (run.fence, run.started_at) == (fence, began)
        clock.advance(60)
        assert records.requeue_lost(run)


def test_a_retried_run_starts_with_no_progress(records: AllRecords, clock: FakeClock) -> None:
    half = replace(a_task(clock()), progress=0.5, step="blend")
    records.add(half)
    run = claimed(records, half)
    assert (run.progress, run.step) == (0.0, None)


# ── the end of a run ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_success_names_the_result_and_ends_the_lease(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock)
    run = claimed(records, task)
    clock.advance(3)
    assert records.succeed(run, "tenants/acme/results/t/1", "image/jpeg", {"blend": 2.5})
    assert records.succeed(run, "tenants/acme/results/t/1", "image/jpeg", {"blend": 2.5}), "its answer may be lost"
    assert not records.succeed(run, "tenants/acme/results/t/2", "image/jpeg", {"blend": 2.5})
    found = now_of(records, task)
    assert (found.state, found.result, found.result_type) == (
        State.SUCCEEDED, "tenants/acme/results/t/1", "image/jpeg",
    )  # fmt: skip
    assert (found.progress, found.finished_at, found.lease_until) == (1.0, clock(), None)
    assert (found.timings_ms, found.version) == ({"blend": 2.5}, 3)


def test_failure_keeps_the_error(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock)
    assert records.fail(claimed(records, task), FaceNotFound("No face in the source.", role="source"))
    found = now_of(records, task)
    assert found.state == State.FAILED
    assert found.failure == Failure("face_not_found", "No face in the source.", {"role": "source"})
    assert (found.finished_at, found.lease_until) == (clock(), None)


def test_retry_spends_one_failure_and_waits_unsent(records: AllRecords, clock: FakeClock) -> None:
    task = sent(records, clock)
    later = clock() + timedelta(seconds=4)
    assert records.retry(claimed(records, task), AWAY, later)
    found = now_of(records, task)
    assert (found.state, found.failures, found.lost, found.run_at) == (State.QUEUED, 1, 0, later)
    assert (found.sent_at, found.sent_epoch, found.lease_until) == (None, None, None)
    assert found.failure == Failure("store_unavailable", AWAY.message, {"cause": "Timeout"})


Ending = Callable[[AllRecords, Task, datetime], bool]
ENDINGS: dict[str, Ending] = {
    "succeed": lambda records, run, now: records.succeed(run, "stale", "image/png", {}),
    "fail": lambda records, run, now: records.fail(run, FaceNotFound("No face.")),
    "retry": lambda records, run, now: records.retry(run, AWAY, now),
    "renew": lambda records, run, now: bool(records.renew({run.id: run.fence}, LEASE)),
    "requeue_lost": lambda records, run, now: records.requeue_lost(run),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_run_that_lost_its_task_changes_nothing(records: AllRecords, clock: FakeClock, name: str) -> None:
    """Its lease expired, and the next run is at work or done."""
    task = added(records, clock)
    old = claimed(records, task)
    clock.advance(31)
    assert records.requeue_lost(old)
    waiting = now_of(records, task)
    assert not ENDINGS[name](records, old, clock())
    assert now_of(records, task) == waiting
    new = claimed(records, task)
    assert not ENDINGS[name](records, old, clock())
    assert now_of(records, task) == new
    assert records.succeed(new, "fresh", "image/png", {})
    done = now_of(records, task)
    assert not ENDINGS[name](records, old, clock())
    assert not ENDINGS[name](records, new, clock())
    assert now_of(records, task) == done


def test_renewal_moves_the_leases_still_held(records: AllRecords, clock: FakeClock) -> None:
    kept, lost, ended = (claimed(records, added(records, clock)) for _ in range(3))
    records.succeed(ended, "key", "image/png", {})
    clock.advance(20)
    held = {kept.id: kept.fence, lost.id: lost.fence + 1, ended.id: ended.fence}
    assert records.renew(held, LEASE) == {kept.id}
    assert now_of(records, kept).lease_until == clock() + LEASE
    assert now_of(records, lost) == lost


def test_a_lease_that_holds_is_not_taken_away(records: AllRecords, clock: FakeClock) -> None:
    run = claimed(records, added(records, clock))
    clock.advance(30)
    assert records.expired() == []
    assert not records.requeue_lost(run)
    assert now_of(records, run) == run
    clock.advance(0.001)
    assert ids(records.expired()) == [run.id]
    assert records.requeue_lost(run)
    found = now_of(records, run)
    assert (found.state, found.lost, found.failures, found.run_at) == (State.QUEUED, 1, 0, clock())
    assert (found.sent_at, found.lease_until) == (None, None)


def test_a_lease_renewed_after_the_sweeper_looked_is_not_taken_away(records: AllRecords, clock: FakeClock) -> None:
    run = claimed(records, added(records, clock))
    clock.advance(31)
    (seen,) = records.expired()
    records.renew({run.id: run.fence}, LEASE)
    assert not records.requeue_lost(seen)
    assert not records.fail_lost(seen, WorkerLost("Lost."))
    assert now_of(records, run).state == State.RUNNING


def test_two_sweepers_count_one_loss(records: AllRecords, clock: FakeClock) -> None:
    claimed(records, added(records, clock))
    clock.advance(31)
    (first,), (second,) = records.expired(), records.expired()
    assert records.requeue_lost(first)
    assert not records.requeue_lost(second)
    assert now_of(records, first).lost == 1


# ── the sweeper's questions ──────────────────────────────────────────────────────────────────────────────────────────


def test_overdue_are_the_queued_past_their_deadline(records: AllRecords, clock: FakeClock) -> None:
    late = added(records, clock, deadline=timedelta(seconds=10))
    running = claimed(records, added(records, clock, deadline=timedelta(seconds=10)))
    added(records, clock, deadline=timedelta(seconds=60))
    assert records.overdue() == []
    clock.advance(11)
    assert ids(records.overdue()) == [late.id]
    assert records.fail_overdue(late, WorkerLost("Lost."))
    assert not records.fail_overdue(late, WorkerLost("Lost.")), "it has ended"
    assert now_of(records, late).state == State.FAILED
    assert not records.fail_lost(running, WorkerLost("Lost.")), "its lease holds"
    assert not records.fail_overdue(running, WorkerLost("Lost.")), "it is not queued"


def test_an_overdue_task_claimed_after_the_sweeper_looked_goes_on(records: AllRecords, clock: FakeClock) -> None:
    added(records, clock, deadline=timedelta(seconds=10))
    clock.advance(11)
    (seen,) = records.overdue()
    run = claimed(records, seen)
    assert not records.fail_overdue(seen, WorkerLost("Lost."))
    assert now_of(records, seen) == run


def test_a_loss_seen_before_the_next_one_does_not_end_the_next_run(records: AllRecords, clock: FakeClock) -> None:
    run = claimed(records, added(records, clock))
    clock.advance(31)
    (seen,) = records.expired()
    assert records.requeue_lost(run)
    again = claimed(records, run)
    clock.advance(31)
    assert not records.fail_lost(seen, WorkerLost("Lost."))
    assert now_of(records, run) == again


def test_unsent_are_the_queued_and_due_that_no_message_speaks_of(records: AllRecords, clock: FakeClock) -> None:
    new, _sent, run = added(records, clock), sent(records, clock), claimed(records, added(records, clock))
    waiting = claimed(records, added(records, clock))
    records.retry(waiting, AWAY, clock() + timedelta(seconds=10))
    assert ids(records.unsent()) == [new.id]
    clock.advance(10)
    assert ids(records.unsent()) == [new.id, waiting.id]
    records.mark_sent(records.unsent(), "e1")
    assert records.unsent() == []
    assert now_of(records, new).sent_at == clock()
    assert now_of(records, run) == run


def test_marking_unsent_makes_a_queued_record_unsent(records: AllRecords, clock: FakeClock) -> None:
    queued, run = sent(records, clock), claimed(records, sent(records, clock))
    records.mark_unsent([queued.id, run.id])
    assert ids(records.unsent()) == [queued.id]
    assert now_of(records, run) == run


def test_a_sent_mark_that_comes_after_the_next_retry_is_dropped(records: AllRecords, clock: FakeClock) -> None:
    """A fast worker claims and hands back the task between the message and its mark: no message speaks of it now."""
    seen = added(records, clock)
    records.retry(claimed(records, seen), AWAY, clock() + timedelta(seconds=10))
    records.mark_sent([seen], "e1")
    clock.advance(10)
    assert ids(records.unsent()) == [seen.id]


def test_another_epoch_is_any_but_this_one(records: AllRecords, clock: FakeClock) -> None:
    sent(records, clock, epoch="e2")
    old = sent(records, clock, epoch="e1")
    unknown = a_task(clock()).sent(clock(), None)
    records.add(unknown)
    added(records, clock)  # never sent: another rule's business
    claimed(records, sent(records, clock, epoch="e1"))
    assert sorted(ids(records.sent_under_another_epoch("e2"))) == sorted([old.id, unknown.id])


def test_overtaken_is_a_record_when_one_sent_a_grace_later_was_claimed(records: AllRecords, clock: FakeClock) -> None:
    lost = sent(records, clock)
    clock.advance(4)
    close = sent(records, clock)
    clock.advance(1.5)
    later = sent(records, clock)
    assert records.overtaken(GRACE) == []
    claimed(records, close)
    assert records.overtaken(GRACE) == [], "sent 4 s later only: it may have passed by chance"
    claimed(records, later)
    assert ids(records.overtaken(GRACE)) == [lost.id]


def test_the_end_of_the_later_run_does_not_hide_the_overtaken(records: AllRecords, clock: FakeClock) -> None:
    lost = sent(records, clock)
    clock.advance(6)
    records.succeed(claimed(records, sent(records, clock)), "key", "image/png", {})
    assert ids(records.overtaken(GRACE)) == [lost.id]


def test_nothing_overtakes_in_another_list(records: AllRecords, clock: FakeClock) -> None:
    sent(records, clock)
    clock.advance(60)
    for other in ({"lane": "bulk"}, {"track": "canary"}, {"tenant": "initech"}):
        assert a_task(**other).route != a_task().route
        claimed(records, sent(records, clock, **other))
    assert records.overtaken(GRACE) == []


def test_a_later_record_that_failed_in_the_queue_overtakes_nothing(records: AllRecords, clock: FakeClock) -> None:
    sent(records, clock)
    clock.advance(60)
    later = sent(records, clock)
    assert records.fail_overdue(later, WorkerLost("Lost."))
    assert records.overtaken(GRACE) == []


def test_a_later_record_that_waits_for_its_next_run_overtakes_nothing(records: AllRecords, clock: FakeClock) -> None:
    again = sent(records, clock)
    records.retry(claimed(records, again), AWAY, clock())
    clock.advance(10)
    waiting = sent(records, clock)
    clock.advance(10)
    records.mark_sent([now_of(records, again)], "e1")
    assert now_of(records, again).sent_at == waiting.created_at + timedelta(seconds=10)
    assert records.overtaken(GRACE) == []


def test_in_a_long_backlog_nothing_is_overtaken(records: AllRecords, clock: FakeClock) -> None:
    backlog = []
    for _ in range(60):
        backlog.append(sent(records, clock))
        clock.advance(1)
    for task in backlog[:30]:
        records.succeed(claimed(records, task), "key", "image/png", {})
    assert records.overtaken(GRACE) == []


def test_old_lists_are_those_with_a_record_sent_longer_than_a_grace_ago(records: AllRecords, clock: FakeClock) -> None:
    old = [sent(records, clock), sent(records, clock), sent(records, clock, tenant="initech")]
    claimed(records, sent(records, clock, lane="bulk"))
    added(records, clock, lane="bulk")
    clock.advance(5)
    fresh = sent(records, clock)
    assert records.old_lists(GRACE) == []
    clock.advance(0.001)
    assert set(records.old_lists(GRACE)) == {task.route for task in old}
    assert ids(records.older_than(GRACE, old[0].route)) == ids(old[:2])
    assert ids(records.older_than(GRACE, old[2].route)) == ids(old[2:])
    assert fresh.id not in ids(records.older_than(GRACE, fresh.route))
    assert records.older_than(GRACE, Route("stable", "bulk", 0)) == []


def test_a_question_is_answered_a_batch_at_a_time_oldest_first(records: AllRecords, clock: FakeClock) -> None:
    wanted = [added(records, clock).id for _ in range(CHUNK + 3)]
    assert ids(records.unsent()) == wanted[:CHUNK]
    records.mark_sent(records.unsent(), "e1")
    assert ids(records.unsent()) == wanted[CHUNK:]


def test_the_counters_of_failures_and_losses_do_not_mix(records: AllRecords, clock: FakeClock) -> None:
    task = added(records, clock)
    records.retry(claimed(records, task), AWAY, clock())
    run = claimed(records, task)
    clock.advance(31)
    records.requeue_lost(run)
    found = now_of(records, task)
    assert (found.fence, found.failures, found.lost, found.version) == (2, 1, 1, 5)


# ── leaving, progress, cancel ────────────────────────────────────────────────────────────────────────────────────────


def test_a_released_task_waits_again_and_has_spent_no_budget(records: AllRecords, clock: FakeClock) -> None:
    run = claimed(records, sent(records, clock))
    assert records.advance(run, "detect", 0.25)
    queued = records.hand_back(run)
    assert queued == now_of(records, run)
    assert queued is not None
    assert (queued.state, queued.sent_at, queued.progress, queued.step) == (State.QUEUED, None, 0.0, None)
    assert (queued.fence, queued.failures, queued.lost) == (1, 0, 0)
    assert records.hand_back(run) is None
    assert not records.succeed(run, "k", "image/png", {})
    assert claimed(records, run).fence == 2


def test_progress_is_an_event_of_the_run_that_holds_the_task(records: AllRecords, clock: FakeClock) -> None:
    run = claimed(records, added(records, clock))
    assert records.advance(run, "warp", 0.5)
    seen = now_of(records, run)
    assert (seen.step, seen.progress, seen.version) == ("warp", 0.5, run.version + 1)
    clock.advance(2 * LEASE.total_seconds())
    assert records.requeue_lost(seen)
    assert not records.advance(run, "blend", 0.9)
    assert now_of(records, run).progress == 0.0


def test_a_cancel_ends_what_waits_and_what_runs(records: AllRecords, clock: FakeClock) -> None:
    waiting, run = added(records, clock), claimed(records, added(records, clock))
    for task in (waiting, run):
        canceled = records.cancel(task.tenant, task.id)
        assert (canceled.state, canceled.finished_at, canceled.lease_until) == (State.CANCELED, clock(), None)
        assert records.cancel(task.tenant, task.id) == canceled
        assert records.claim(task.id, LEASE, {}) is None
    assert not records.advance(run, "warp", 0.5)
    assert not records.succeed(run, "k", "image/png", {})


def test_an_ended_task_is_not_canceled(records: AllRecords, clock: FakeClock) -> None:
    run = claimed(records, added(records, clock))
    records.succeed(run, "k", "image/png", {})
    with pytest.raises(TaskEnded) as caught:
        records.cancel(run.tenant, run.id)
    assert caught.value.detail["status"] == "succeeded"
    assert now_of(records, run).state is State.SUCCEEDED
    with pytest.raises(TaskNotFound):
        records.cancel("another", run.id)
