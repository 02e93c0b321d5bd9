"""One message, top to bottom: claim → the work of its kind → store → complete."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from facefleet.clock import Clock
from facefleet.errors.base import FacefleetError, InternalError
from facefleet.errors.outage import OutageError, RecordsUnavailable, RecordsUncertain
from facefleet.observability.logs import bound, logger
from facefleet.observability.metrics import Metrics
from facefleet.observability.tracing import Off, Side, Tracer, current, span, trace_id_of
from facefleet.queue.retries import RetryPolicy
from facefleet.storage.keys import result_key
from facefleet.storage.store import Store
from facefleet.tasks.repository import TaskRepository
from facefleet.tasks.task import Kind, Task
from facefleet.worker.exclusive import Gate
from facefleet.worker.leases import HandedBack, Hold, Leases, TakenAway
from facefleet.worker.outcome import Outcome, Timings, Work

_ENDED = ("succeeded", "failed")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Handler:
    """Runs the task of a message.

    Attributes:
        works: What this worker knows how to do; a task of another kind is left to others.
        gate: Who may run beside whom.
        models: Name → version of what this worker has loaded.
    """

    records: TaskRepository
    store: Store
    works: Mapping[Kind, Work]
    leases: Leases
    gate: Gate
    retries: RetryPolicy
    metrics: Metrics
    clock: Clock
    models: Mapping[str, str]
    jitter: random.Random = field(default_factory=random.SystemRandom)
    tracer: Tracer = field(default_factory=Off)

    def __call__(self, task_id: str, traceparent: str | None = None) -> None:
        """Claim the task and bring this run to its end; the record has the outcome, whatever it is.

        Args:
            task_id: What the message says.
            traceparent: The trace context that came with it.

        Raises:
            HandedBack: The worker leaves and the task was not claimed; the message must go back.
        """
        with (
            bound(task_id=task_id, trace_id=trace_id_of(traceparent)),
            self.tracer.open("task.handle", Side.CONSUMER, traceparent) as handling,
        ):
            handling.set(task_id=task_id)
            try:
                self._run(task_id)
            except OutageError as error:  # the record is still queued, the sweeper sends it again
                handling.fail(error.code)
                _log.warning("task.claim_failed", code=error.code, cause=error.detail.get("cause"))

    def _run(self, task_id: str) -> None:
        with self.gate.shared():
            if self._claimed(task_id, suspect=False):
                return
        if not self.records.suspect(task_id):
            current().event("duplicate")
            _log.info("task.duplicate")
            return
        with self.gate.alone():
            self._claimed(task_id, suspect=True)

    def _claimed(self, task_id: str, *, suspect: bool) -> bool:
        """Run the task to its end if it can be claimed."""
        with span("claim"):
            task = self.records.claim(
                task_id, self.leases.lease, self.models, suspect=suspect, kinds=self.works.keys()
            )  # fmt: skip
        if task is None:
            return False
        current().set(tenant=task.tenant, kind=task.kind.value, fence=task.fence, lane=task.route.lane)
        with bound(tenant=task.tenant, kind=task.kind.value, fence=task.fence), self.leases.hold(task) as hold:
            self._attempt(hold, alone=suspect)
        return True

    def _attempt(self, hold: Hold, *, alone: bool) -> None:
        task = hold.task
        started = time.perf_counter()
        outcome = "error"
        in_flight = self.metrics.in_flight.labels(task.kind.value)
        _log.info("task.claimed", failures=task.failures, lost=task.lost, alone=alone)
        try:
            with in_flight.track_inprogress():
                outcome = self._settled(hold)
                if outcome in _ENDED and task.kind is Kind.DETECT:
                    self._discard(task)
        except OutageError as error:  # not even the outcome could be written: the lease expires, the sweeper goes on
            current().fail(error.code)
            _log.warning("task.outcome_not_written", code=error.code, cause=error.detail.get("cause"))
        finally:
            current().set(outcome=outcome)
            self.metrics.process_seconds.labels(task.kind.value, outcome).observe(time.perf_counter() - started)

    def _settled(self, hold: Hold) -> str:
        task = hold.task
        try:
            return self._work(hold)
        except TakenAway:
            _log.info("task.taken_away")
            return "fenced"
        except HandedBack:
            current().event("handed_back")
            self.leases.release(task)
            return "handed_back"
        except (RecordsUnavailable, RecordsUncertain):  # only the last step needs the records, and it insisted
            raise
        except FacefleetError as error:
            return self._give_up_or_retry(hold, error)
        except Exception as error:  # noqa: BLE001 - a bug of ours ends this task, not the worker
            _log.exception("task.internal_error")
            cause = type(error).__name__
            return self._give_up_or_retry(hold, InternalError("The worker met an internal error.", cause=cause))

    def _work(self, hold: Hold) -> str:
        """What the task is for.

        Returns:
            ``succeeded``, or ``fenced`` when another run took the task over meanwhile.
        """
        task, began, timings = hold.task, time.perf_counter(), Timings()
        timings.ms["queued"] = (self.clock() - task.created_at).total_seconds() * 1000
        outcome = self.works[task.kind](hold, timings)
        key = None
        if outcome.image is not None:
            key = result_key(task.tenant, task.id, task.fence)
            with timings.timed("store"):
                self.store.put(key, outcome.image)
        return self._complete(hold, key, outcome, timings.rounded(), round(time.perf_counter() - began, 3))

    def _complete(
        self, hold: Hold, key: str | None, outcome: Outcome, timings_ms: dict[str, float], seconds: float
    ) -> str:
        task, size = hold.task, len(outcome.image or b"")
        media_type = str(outcome.media_type) if outcome.media_type else None

        def tell() -> bool:
            return self.records.succeed(
                task, key, media_type, timings_ms,
                bytes_out=size, seconds=seconds, output=outcome.output, beside=outcome.beside,
            )  # fmt: skip

        with span("succeed"):
            won = hold.insist(tell)
        if not won:
            if key is not None:
                self.store.delete(key)
            _log.warning("task.fenced_out")
            return "fenced"
        _log.info("task.succeeded", bytes=size, timings_ms=timings_ms)
        return "succeeded"

    def _give_up_or_retry(self, hold: Hold, error: FacefleetError) -> str:
        task = hold.task
        current().fail(error.code)
        failures = task.failures + 1
        verdict = self.retries.verdict(error, failures)
        if verdict is not None:
            with span("fail"):
                kept = hold.insist(lambda: self.records.fail(task, verdict))
            _log.info("task.failed", code=verdict.code, reason=verdict.message, kept=kept)
            return "failed"
        delay = self.retries.delay(error, task.fence, self.jitter)
        run_at, spend = self.clock() + delay, self.retries.spends(error)
        current().event("retry", code=error.code, seconds=round(delay.total_seconds(), 2))
        with span("retry"):
            kept = hold.insist(lambda: self.records.retry(task, error, run_at, spend=spend))
        if kept:
            self.metrics.retries.labels(task.kind.value, error.code).inc()
        _log.info("task.retry", code=error.code, seconds=round(delay.total_seconds(), 2), kept=kept)
        return "retried"

    def _discard(self, task: Task) -> None:
        """Delete uploads that were only to be looked at; those of a run that died here go with the next deletions."""
        for key in task.inputs.values():
            self.store.delete(key)
