"""Errors for what was asked for by id or address and is not there."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError


class LookupFailed(FacefleetError):
    """What was asked for is not here, or not yet."""

    status = 404
    title = "Not found"


class TaskNotFound(LookupFailed):
    """No task with this id for this tenant."""

    code = "task_not_found"
    title = "Task not found"


class DeliveryNotFound(LookupFailed):
    """No delivery with this id for this task."""

    code = "delivery_not_found"
    title = "Delivery not found"


class TemplateNotFound(LookupFailed):
    """No template with this id for this tenant, or none any more."""

    code = "template_not_found"
    title = "Template not found"


class UploadNotFound(LookupFailed):
    """No upload with this id for this tenant, or none any more."""

    code = "upload_not_found"
    title = "Upload not found"


class BatchNotFound(LookupFailed):
    """No batch with this id for this tenant."""

    code = "batch_not_found"
    title = "Batch not found"


class KeyNotFound(LookupFailed):
    """No API key with this id for this tenant."""

    code = "key_not_found"
    title = "API key not found"


class RouteNotFound(LookupFailed):
    """No such address."""

    code = "route_not_found"
    title = "No such address"
