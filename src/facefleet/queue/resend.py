"""Sends the messages of tasks that a stopping worker hands back, without waiting for a sweeper."""

from __future__ import annotations

from facefleet.errors.outage import OutageError
from facefleet.observability.logs import logger
from facefleet.queue.broker import Broker
from facefleet.queue.submit import Submitter
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.task import Task

_log = logger(__name__)


class Resend:
    """Sends one message and marks the record; where either fails, the sweeper does it."""

    def __init__(self, records: TaskRepository, broker: Broker, submitter: Submitter) -> None:
        self._records = records
        self._broker = broker
        self._submitter = submitter

    def __call__(self, task: Task) -> None:
        """Send the message of a queued record."""
        try:
            self._submitter.send(task)
            self._records.mark_sent([task], self._broker.epoch())
        except OutageError as error:
            _log.warning("task.not_sent", task_id=task.id, code=error.code)
