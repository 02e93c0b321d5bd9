"""Sends the message of a task: its id and its trace context, nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from facefleet.errors.outage import QueueUnavailable
from facefleet.observability.metrics import ignore_outage
from facefleet.queue.app import HANDLE
from facefleet.queue.connection import CircuitBreaker
from facefleet.tasks.routes import list_name
from facefleet.tasks.task import Task


class Submitter:
    """Sends messages and knows the epoch of the broker it sends to.

    Args:
        app: The Celery application that sends the messages.
        clock: s, monotonic.
        on_outage: Called each time that the broker did not take a message.
    """

    def __init__(
        self, app: Celery, clock: Callable[[], float] = time.monotonic, on_outage: Callable[[], object] = ignore_outage
    ) -> None:
        self._app = app
        self._on_outage = on_outage
        self._breaker = CircuitBreaker(clock)
        self.epoch: str | None = None  # none until the broker was seen

    def seen(self, epoch: str) -> None:
        """Remember the epoch of the broker, which has just answered; earlier failures are forgotten."""
        self.epoch = epoch
        self._breaker.answered()

    def send(self, task: Task) -> None:
        """Put the task's message into its list.

        Raises:
            QueueUnavailable: The broker did not take it; the record stays, the sweeper sends it later. For a while
                after that nothing is tried: every request would wait for the same time-out.
        """
        if self._breaker.open:
            raise QueueUnavailable("The broker did not answer a moment ago.", cause="recently")
        name = list_name(task.route)
        headers = {"traceparent": task.traceparent} if task.traceparent else {}
        try:
            self._app.send_task(
                HANDLE, args=[task.id], task_id=task.id, queue=name, headers=headers, retry=False, ignore_result=True
            )
        except (KombuError, RedisError, OSError) as error:
            self._on_outage()
            self._breaker.failed()
            raise QueueUnavailable("The broker did not take the message.", cause=type(error).__name__) from error
