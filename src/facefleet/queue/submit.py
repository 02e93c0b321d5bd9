"""Sending a task's message: its id and its trace context, nothing else."""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from facefleet.errors import QueueUnavailable
from facefleet.queue.app import HANDLE
from facefleet.queue.lanes import list_name
from facefleet.tasks.task import Task


class Submitter:
    """Sends messages and knows the epoch of the broker it sends to."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self.epoch: str | None = None  # set by the sweeper's round; none until the broker was seen

    def send(self, task: Task) -> None:
        """Put the task's message into its list.

        Raises:
            QueueUnavailable: The broker did not take it; the record stays, the sweeper sends it later.
        """
        name = list_name(task.route)
        headers = {"traceparent": task.traceparent} if task.traceparent else {}
        try:
            self._app.send_task(
                HANDLE, args=[task.id], task_id=task.id, queue=name, headers=headers, retry=False, ignore_result=True
            )
        except (KombuError, RedisError, OSError) as error:
            raise QueueUnavailable("The broker did not take the message.", cause=type(error).__name__) from error
