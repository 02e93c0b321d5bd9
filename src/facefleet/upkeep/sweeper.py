"""Makes the queue agree with the records after the broker lost messages or a worker died.

It runs in every gateway. Any number may run: each change is a conditional UPDATE, and a message sent twice is claimed
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from facefleet.clock import Clock
from facefleet.errors.outage import QueueUnavailable
from facefleet.errors.task import DeadlineExceeded, WorkerLost
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics
from facefleet.observability.rounds import round_of
from facefleet.observability.tracing import trace_id_of
from facefleet.queue.broker import Broker
from facefleet.queue.submit import Submitter
from facefleet.tasks.records.losses import Losses
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.task import Task

MAX_LOST = 3  # expired leases after which a task fails as the likely cause of its workers' crashes

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Runs independent rounds at intervals."""

    records: TaskRepository
    losses: Losses
    broker: Broker
    submitter: Submitter
    metrics: Metrics
    clock: Clock
    grace: timedelta

    def run(self, wait: Callable[[float], bool], interval: float) -> None:
        """Run rounds until ``wait(interval)`` returns true; an outage ends a round, never the loop."""
        stopped = False
        while not stopped:
            with round_of(_log, interrupted="sweep.interrupted", failed="sweep.failed"):
                self.round()
            stopped = wait(interval)

    def round(self) -> None:
        """Run each check once.

        Raises:
            OutageError: The records do not answer, or the broker does not.
        """
        self._requeue_expired()
        self._fail_overdue()
        epoch = self.broker.epoch()
        self.submitter.seen(epoch)
        self._send("epoch", self.losses.sent_under_another_epoch(epoch))
        self._send("due", self.losses.unsent())
        self._send("overtaken", self.losses.overtaken(self.grace))
        self._send("vanished", self._vanished())

    def _requeue_expired(self) -> None:
        for task in self.losses.expired():
            if task.lost + 1 >= MAX_LOST:
                lost = WorkerLost(
                    f"The worker was lost {MAX_LOST} times while it ran this task.", lost=MAX_LOST
                )  # fmt: skip
                self._count("worker_lost", self.losses.fail_lost(task, lost), task)
            else:
                self._count("lease_expired", self.losses.requeue_lost(task), task)

    def _fail_overdue(self) -> None:
        for task in self.losses.overdue():
            seconds = (task.deadline_at - task.created_at).total_seconds()
            met = {"cause": task.failure.code} if task.failure else {}
            late = DeadlineExceeded(f"The task did not finish within {seconds:.0f} s.", deadline_seconds=seconds, **met)
            self._count("deadline", self.losses.fail_overdue(task, late), task)

    def _vanished(self) -> list[Task]:
        """Old records of an empty list, unless a worker took the message just now."""
        empty = [route for route in self.losses.old_lists(self.grace) if self.broker.waiting(route) == 0]
        if not empty:
            return []
        unacknowledged = self.broker.unacknowledged((self.clock() - self.grace).timestamp())
        old = [task for route in empty for task in self.losses.older_than(self.grace, route)]
        return [task for task in old if task.id not in unacknowledged]

    def _send(self, action: str, queued: Iterable[Task]) -> None:
        sent: list[Task] = []
        try:
            for task in queued:
                self.submitter.send(task)
                sent.append(task)
                self._count(action, True, task)
        except QueueUnavailable as error:
            _log.warning("sweep.broker_away", sent=len(sent), cause=error.detail.get("cause"))
            raise
        finally:
            if sent:
                self.records.mark_sent(sent, self.submitter.epoch)

    def _count(self, action: str, done: bool, task: Task) -> None:
        if done:
            self.metrics.sweeps.labels(action).inc()
            _log.info(
                "sweep." + action,
                task_id=task.id,
                tenant=task.tenant,
                fence=task.fence,
                trace_id=trace_id_of(task.traceparent),
            )
