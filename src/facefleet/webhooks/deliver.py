"""Makes deliveries for changed tasks and sends those that are due, beside the sweeper in every gateway.

Any number may run: a delivery is claimed by one conditional UPDATE. The attempts of a dead gateway are due again when
their lease is over, so every event is delivered at least once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

from facefleet.clock import Clock
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import ConfigInvalid
from facefleet.observability.logs import bound, logger
from facefleet.observability.metrics import Metrics
from facefleet.observability.rounds import round_of
from facefleet.tasks.deliveries import Attempt, Deliveries, Delivery, DeliveryState
from facefleet.tasks.task import Task
from facefleet.webhooks.post import TOTAL_SECONDS, Poster
from facefleet.webhooks.schedule import Answer, Verdict, judge
from facefleet.webhooks.sign import Signer

Render = Callable[[Task], Mapping[str, object]]
SignerOf = Callable[[str], Signer]

PER_HOST = 8  # attempts at once, so that one slow receiver does not hold up the others
LEASE = timedelta(seconds=4 * TOTAL_SECONDS)
_STOP_SECONDS = 5.0  # that attempts under way may take when the gateway stops; the lease does the rest
_TASK_ERASED = Answer(error="the task was erased")
_NOT_SIGNED = Answer(error="the secrets of the tenant cannot be used")
_INTERNAL_ERROR = Answer(error="a fault of the service")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Deliverer:
    """The deliverer of one gateway.

    Attributes:
        signer_of: Signs for a tenant; raises ``ConfigInvalid`` where its own secrets cannot be used.
        render: The task as its owner sees it.
        user_agent: Value of the ``User-Agent`` header.
        slots: Most attempts at once.
        interval: s between rounds.
        random: 0 to 1, for jitter.
    """

    deliveries: Deliveries
    poster: Poster
    signer_of: SignerOf
    render: Render
    metrics: Metrics
    clock: Clock
    random: Callable[[], float]
    user_agent: str
    slots: int
    interval: float
    _running: dict[asyncio.Task[None], str] = field(default_factory=dict, init=False, repr=False)  # → host

    def run(self, stop: Event) -> None:
        """Run rounds until the event is set."""
        asyncio.run(self._run(stop))

    async def _run(self, stop: Event) -> None:
        stopping = asyncio.ensure_future(asyncio.to_thread(stop.wait))
        while not stopping.done():
            all_busy = False
            with round_of(_log, interrupted="webhooks.interrupted", failed="webhooks.failed"):
                all_busy = await self.round()
            # A delivery that waits for a slot takes the first that is free.
            awaited = {stopping, *self._running} if all_busy else {stopping}
            await asyncio.wait(awaited, timeout=self.interval, return_when=asyncio.FIRST_COMPLETED)
        await self.settle(_STOP_SECONDS)

    async def round(self) -> bool:
        """Begin every attempt that is due and has a slot; returns whether others may wait for one.

        Raises:
            OutageError: The records do not answer.
        """
        await asyncio.to_thread(self.deliveries.announce)
        while free := self.slots - len(self._running):
            at_hosts = Counter(self._running.values())
            busy = [host for host, count in at_hosts.items() if count >= PER_HOST]
            due = await asyncio.to_thread(self.deliveries.due, free, busy)
            if not due:
                return bool(busy)
            for delivery in await asyncio.to_thread(self.deliveries.claim, _within_host_limit(due, at_hosts), LEASE):
                self._begin(delivery)
        return True

    async def settle(self, seconds: float) -> None:
        """Wait for the attempts under way, and no longer than so many s."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    def _begin(self, delivery: Delivery) -> None:
        running = asyncio.ensure_future(self._attempt(delivery))
        self._running[running] = delivery.host
        running.add_done_callback(self._running.pop)

    async def _attempt(self, delivery: Delivery) -> None:
        """Make an attempt and record its outcome; where that fails, the lease runs out."""
        with bound(task_id=delivery.task, tenant=delivery.tenant, delivery_id=delivery.id):
            try:
                at, started = self.clock(), time.perf_counter()
                answer = await self._send(delivery)
                ms = round((time.perf_counter() - started) * 1000)
                await self._conclude(delivery, answer, Attempt(at, answer.status, answer.error, ms))
            except FacefleetError as error:
                _log.warning("webhook.outcome_not_written", code=error.code)

    async def _send(self, delivery: Delivery) -> Answer:
        task = await asyncio.to_thread(self.deliveries.task_of, delivery)
        if task is None:
            return _TASK_ERASED
        try:
            signer = await asyncio.to_thread(self.signer_of, delivery.tenant)
        except ConfigInvalid as error:  # never signed by another's secrets instead
            _log.error("webhook.not_signed", reason=error.message)
            return _NOT_SIGNED
        try:
            return await self._post(delivery, task, signer)
        except Exception:  # noqa: BLE001 - a bug counts as an attempt, or it would be retried every minute for ever
            _log.exception("webhook.internal_error")
            return _INTERNAL_ERROR

    async def _post(self, delivery: Delivery, task: Task, signer: Signer) -> Answer:
        body = self._body(delivery, task)
        signed = signer.headers(delivery.id, int(self.clock().timestamp()), body)
        headers = {"Content-Type": "application/json", "User-Agent": self.user_agent, "Accept": "*/*", **signed}
        return await self.poster.post(delivery.url, headers, body)

    def _body(self, delivery: Delivery, task: Task) -> bytes:
        message = {
            "type": f"task.{delivery.event}",
            "timestamp": delivery.happened_at.isoformat(),
            "data": self.render(task),
        }
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()

    async def _conclude(self, delivery: Delivery, answer: Answer, attempt: Attempt) -> None:
        verdict = judge(delivery, answer, self.clock(), self.random)
        if answer is _TASK_ERASED:
            verdict = Verdict(DeliveryState.FAILED)
        written = await asyncio.to_thread(self.deliveries.record, delivery, attempt, verdict.state, verdict.next_at)
        if not written:  # another gateway took it over, or it was erased
            _log.warning("webhook.taken_away")
            return
        self.metrics.webhook_attempts.labels("delivered" if answer.error is None else _class_of(answer)).inc()
        if verdict.state is not DeliveryState.PENDING:
            self.metrics.webhook_deliveries.labels(delivery.event.value, verdict.state.value).inc()
        _log_outcome(delivery, attempt, verdict)


def _within_host_limit(due: list[Delivery], at_hosts: Counter[str]) -> list[Delivery]:
    """As many as the limit of each host allows, in the order in which they are due."""
    taken: list[Delivery] = []
    for delivery in due:
        if at_hosts[delivery.host] < PER_HOST:
            at_hosts[delivery.host] += 1
            taken.append(delivery)
    return taken


def _log_outcome(delivery: Delivery, attempt: Attempt, verdict: Verdict) -> None:
    """Log the outcome with the host alone: path and query of the URL may be secrets of the receiver."""
    facts = {"host": delivery.host, "type": delivery.event.value, "attempt": delivery.attempts, "ms": attempt.ms}
    if verdict.state is DeliveryState.DELIVERED:
        _log.info("webhook.delivered", status=attempt.status, **facts)
    elif verdict.next_at is not None:
        _log.info("webhook.retry", error=attempt.error, next_at=verdict.next_at.isoformat(), **facts)
    else:
        _log.warning("webhook.given_up", error=attempt.error, **facts)


def _class_of(answer: Answer) -> str:
    return "no_answer" if answer.status is None else f"{answer.status // 100}xx"
