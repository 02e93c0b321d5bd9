"""Runs one message's task: lease an engine → claim → handle → check → mark → store → complete, or fail, or retry."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from facefleet.access.policy import Policies
from facefleet.clock import Clock
from facefleet.engine.inspector import Verdict
from facefleet.engine.types import Picture
from facefleet.errors.base import FacefleetError, InternalError
from facefleet.errors.input import ContentRejected
from facefleet.errors.outage import OutageError, RecordsUnavailable, RecordsUncertain
from facefleet.observability.logs import bound, logger
from facefleet.observability.metrics import Metrics
from facefleet.observability.tracing import NoTracer, SpanKind, Tracer, current, span, trace_id_of
from facefleet.queue.retries import RetryPolicy
from facefleet.safety.marking import MarkedPicture, mark
from facefleet.storage.store import Store
from facefleet.tasks.kinds import KINDS, Kind, Uploads
from facefleet.tasks.records.claims import Claims, Postponed
from facefleet.tasks.task import Task
from facefleet.upkeep.retention import Retention
from facefleet.worker.engines import EngineProvider
from facefleet.worker.exclusive import ExclusiveLock
from facefleet.worker.handlers.table import Handler
from facefleet.worker.leases import ClaimLost, HandedBack, Leases
from facefleet.worker.outcome import Ending, Outcome, check_outcome
from facefleet.worker.results import StoredResult, store_result
from facefleet.worker.run import Run, Timings

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs the task of a message.

    Attributes:
        handlers: Kind → what this worker can do; a task of another kind is left to other workers.
        engines: Lends each run its engine.
        lock: Held in shared mode by most runs, in exclusive mode by one that may crash the process.
        policies: What tenants may by now.
        retention: Deletes the photos of what was rejected.
        producer: Provider's name in the marks of results.
        jitter: Spreads the delays of retries.
    """

    claims: Claims
    store: Store
    handlers: Mapping[Kind, Handler]
    engines: EngineProvider
    leases: Leases
    lock: ExclusiveLock
    retries: RetryPolicy
    retention: Retention
    metrics: Metrics
    clock: Clock
    producer: str
    policies: Callable[[], Policies] = Policies
    jitter: random.Random = field(default_factory=random.SystemRandom)
    tracer: Tracer = field(default_factory=NoTracer)

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
            self.tracer.open("task.handle", SpanKind.CONSUMER, traceparent) as handling,
        ):
            handling.set(task_id=task_id)
            try:
                self._run_locked(task_id)
            except Postponed:
                handling.event("postponed")
                _log.info("task.postponed")
            except OutageError as error:  # the record is still queued, the sweeper sends it again
                handling.fail(error.code)
                _log.warning("task.claim_failed", code=error.code, cause=error.detail.get("cause"))

    def _run_locked(self, task_id: str) -> None:
        """Run the task beside others, or alone where it may be what crashes workers (decision 0006)."""
        with self.lock.shared():
            if self._run_claimed(task_id, suspect=False):
                return
        if not self.claims.is_suspect(task_id):
            current().event("duplicate")
            _log.info("task.duplicate")
            return
        with self.lock.exclusive():
            self._run_claimed(task_id, suspect=True)

    def _run_claimed(self, task_id: str, *, suspect: bool) -> bool:
        """Run the task to its end; false where it could not be claimed."""
        policies = self.policies()  # before the claim, whose transaction is no time to read them
        lease = self.engines.lease()  # before the claim: the versions that the claim writes down are those that run
        with span("claim"):
            task = self.claims.claim(
                task_id, self.leases.lease, lease.models, suspect=suspect, kinds=self.handlers.keys(),
                cap=lambda tenant, plan: policies.of(tenant, plan).concurrency,
            )  # fmt: skip
        if task is None:
            return False
        current().set(tenant=task.tenant, kind=task.kind.value, fence=task.fence, lane=task.route.lane)
        with bound(tenant=task.tenant, kind=task.kind.value, fence=task.fence), self.leases.hold(task) as hold:
            _log.info("task.claimed", failures=task.failures, lost=task.lost, alone=suspect)
            nsfw_allow = policies.of(task.tenant, task.plan).nsfw_allow
            self._run_measured(Run(task, lease.engine, hold, Timings(), nsfw_allow))
        return True

    def _run_measured(self, run: Run) -> None:
        """Bring the run to its end, and count it by how it ended."""
        task, started, ending = run.task, time.perf_counter(), Ending.ERROR
        try:
            with self.metrics.in_flight.labels(task.kind.value).track_inprogress():
                ending = self._end(run)
                if ending.ends_task and KINDS[task.kind].uploads is Uploads.UNTIL_END:
                    self._delete_uploads(task)
        except OutageError as error:  # not even the outcome could be written: the lease expires, the sweeper goes on
            current().fail(error.code)
            _log.warning("task.outcome_not_written", code=error.code, cause=error.detail.get("cause"))
        finally:
            self._count_inspections(run)
            current().set(outcome=ending.value)
            self.metrics.process_seconds.labels(task.kind.value, ending.value).observe(time.perf_counter() - started)

    def _end(self, run: Run) -> Ending:
        """Do the work; where that fails, do what the error asks for."""
        try:
            return self._succeed(run)
        except ClaimLost:
            _log.info("task.taken_away")
            return Ending.FENCED
        except HandedBack:
            current().event("handed_back")
            self.leases.release(run.task)
            return Ending.HANDED_BACK
        except (RecordsUnavailable, RecordsUncertain):  # only the last step needs the records, and it tried for long
            raise
        except FacefleetError as error:
            return self._fail_or_retry(run, error)
        except Exception as error:  # noqa: BLE001 - a bug of ours ends this task, not the worker
            _log.exception("task.internal_error")
            cause = type(error).__name__
            return self._fail_or_retry(run, InternalError("The worker met an internal error.", cause=cause))

    def _succeed(self, run: Run) -> Ending:
        """Take the steps of every success, in their order."""
        started = time.perf_counter()
        run.timings.ms["queued"] = (self.clock() - run.task.created_at).total_seconds() * 1000
        outcome = self.handlers[run.task.kind](run)
        check_outcome(run.task.kind, outcome)
        marked = self._mark(run, outcome.picture)
        result = self._store(run, marked)
        return self._complete(run, outcome, result, seconds=round(time.perf_counter() - started, 3))

    def _mark(self, run: Run, picture: Picture | None) -> MarkedPicture | None:
        """Mark the picture, if there is one, as generated."""
        if picture is None:
            return None
        with run.timings.timed("mark"):
            return mark(picture, producer=self.producer, content_id=run.task.id)

    def _store(self, run: Run, picture: MarkedPicture | None) -> StoredResult | None:
        """Store the picture, if there is one, as the result of this run."""
        if picture is None:
            return None
        with run.timings.timed("store"):
            return store_result(self.store, run.task, picture)

    def _complete(self, run: Run, outcome: Outcome, result: StoredResult | None, seconds: float) -> Ending:
        """Name this run's result in the record; where the record no longer names this run, delete the result."""
        task, timings_ms = run.task, run.timings.rounded()
        key, media_type, size = (result.key, result.media_type.value, result.size) if result else (None, None, 0)

        def write() -> bool:
            return self.claims.succeed(
                task, key, media_type, timings_ms,
                bytes_out=size, seconds=seconds, output=outcome.output, beside=outcome.beside, inspections=run.found,
            )  # fmt: skip

        with span("succeed"):
            held = run.hold.commit_outcome(write)
        if not held:
            if key is not None:
                self.store.delete(key)
            _log.warning("task.fenced_out")
            return Ending.FENCED
        _log.info("task.succeeded", bytes=size, timings_ms=timings_ms)
        return Ending.SUCCEEDED

    def _fail_or_retry(self, run: Run, error: FacefleetError) -> Ending:
        """Write down that the task failed, or queue it for another run, as the error's class and the budget say."""
        current().fail(error.code)
        final_error = self.retries.verdict(error, run.task.failures + 1)
        return self._retry(run, error) if final_error is None else self._fail(run, final_error)

    def _fail(self, run: Run, error: FacefleetError) -> Ending:
        with span("fail"):
            kept = run.hold.commit_outcome(lambda: self.claims.fail(run.task, error, inspections=run.found))
        _log.info("task.failed", code=error.code, reason=error.message, kept=kept)
        if kept and isinstance(error, ContentRejected):
            self._delete_rejected(run.task)
        return Ending.FAILED

    def _retry(self, run: Run, error: FacefleetError) -> Ending:
        task = run.task
        delay = self.retries.delay(error, task.fence, self.jitter)
        run_at, spend, seconds = self.clock() + delay, self.retries.spends(error), round(delay.total_seconds(), 2)
        current().event("retry", code=error.code, seconds=seconds)
        with span("retry"):
            kept = run.hold.commit_outcome(lambda: self.claims.retry(task, error, run_at, spend=spend))
        if kept:
            self.metrics.retries.labels(task.kind.value, error.code).inc()
        _log.info("task.retry", code=error.code, seconds=seconds, kept=kept)
        return Ending.RETRIED

    def _count_inspections(self, run: Run) -> None:
        for one in run.inspections:
            self.metrics.inspections.labels(one.check, one.role.value, one.verdict.value).inc()
            if one.verdict is not Verdict.ALLOWED:
                _log.warning("photo.rejected", check=one.check, role=one.role.value, verdict=one.verdict.value)

    def _delete_rejected(self, task: Task) -> None:
        """Delete the photos at once; where that cannot be done now, the gateways' retention does it."""
        try:
            self.retention.delete_rejected(task)
        except OutageError as error:
            _log.warning("upload.not_deleted", code=error.code)

    def _delete_uploads(self, task: Task) -> None:
        """Delete uploads that nobody needs after the task; those of a run that dies here go with the retention."""
        for key in task.inputs.values():
            self.store.delete(key)
