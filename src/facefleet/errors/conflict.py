"""Errors for what is there, but whose state forbids what was asked."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError


class Conflict(FacefleetError):
    """What was asked for is here, but not in a state that allows it."""

    status = 409
    title = "Not in this state"


class TemplateNotReady(Conflict):
    """The template is still being prepared."""

    code = "template_not_ready"
    retryable = True
    title = "Template not ready"


class TemplateFailed(Conflict):
    """The template could not be prepared, and will not be."""

    code = "template_failed"
    title = "Template has failed"


class UploadIncomplete(Conflict):
    """The photo was announced and has not come yet."""

    code = "upload_incomplete"
    title = "Upload not complete"


class TaskEnded(Conflict):
    """The task has ended and cannot be changed."""

    code = "task_ended"
    title = "Task has ended"


class IdempotencyConflict(Conflict):
    """The idempotency key belongs to another request."""

    code = "idempotency_conflict"
    title = "Idempotency key is taken"


class TaskHeld(Conflict):
    """The task is under legal hold and cannot be erased."""

    code = "task_held"
    title = "Task is held"


class RequeueRefused(Conflict):
    """The task cannot be queued again: it has not ended, or what it needs is gone."""

    code = "requeue_refused"
    title = "Cannot be queued again"


class KeyEnded(Conflict):
    """The API key was revoked, has expired or was rotated before, so it cannot be rotated."""

    code = "key_ended"
    title = "API key has ended"


class ResultNotReady(Conflict):
    """The task has not finished."""

    code = "result_not_ready"
    retryable = True
    title = "Result not ready"


class ResultUnavailable(Conflict):
    """The task ended without a result, or the result has been deleted."""

    code = "result_unavailable"
    status = 410
    title = "No result"
