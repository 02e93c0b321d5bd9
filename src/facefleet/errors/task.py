"""Errors that end a task besides those of its input."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError


class TaskFailure(FacefleetError):
    """How a task can end besides the errors above."""

    title = "Task failed"


class AttemptsExhausted(TaskFailure):
    """Every attempt met a retryable failure."""

    code = "attempts_exhausted"
    title = "Attempts exhausted"


class WorkerLost(TaskFailure):
    """Its worker vanished again and again."""

    code = "worker_lost"
    title = "Worker lost"


class DeadlineExceeded(TaskFailure):
    """The task was not done in its time."""

    code = "deadline_exceeded"
    status = 504
    title = "Deadline exceeded"


class TaskFailed(TaskFailure):
    """A server told its client that the task failed; ``detail["cause"]`` has the server's code."""

    code = "task_failed"


class ObjectMissing(FacefleetError):
    """An object that a record names is not in the store."""

    code = "object_missing"
    title = "Object missing"
