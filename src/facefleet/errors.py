"""The one tree of errors: every failure a user can meet, on every floor.

A class carries a stable ``code``, the HTTP ``status`` it becomes and whether trying again can help (``retryable``).
The class decides between retry and failure; nobody parses messages. Where each can arise on the path of a request::

    command line ─┐
                  ├─► gateway ──► store, records ──► queue ──► worker ──► engine ──► store, records
    client ───────┘   │           │                  │         │          │
                      │           OutageError ◄──────┘         WorkerLost ImageError, FaceError, ModelError
                      RequestError, ImageError (from the header), ConsentRequired

    FacefleetError
    ├── InputError                    the caller can mend it; never retried
    │   ├── RequestError              request_invalid           400
    │   │   ├── OptionInvalid         option_invalid            422
    │   │   ├── UploadMissing         upload_missing            422
    │   │   ├── UploadTooLarge        upload_too_large          413
    │   │   ├── ConsentRequired       consent_required          422
    │   │   └── WebhookUrlRefused     webhook_url_refused       422
    │   ├── ImageError
    │   │   ├── ImageTypeUnsupported  image_type_unsupported    415
    │   │   ├── ImageTooLargeBytes    image_too_large_bytes     413
    │   │   ├── ImageTooLargePixels   image_too_large_pixels    422
    │   │   ├── ImageTooSmall         image_too_small           422
    │   │   ├── ImageAnimated         image_animated            422
    │   │   └── ImageDecodeFailed     image_decode_failed       422
    │   ├── FaceError
    │   │   ├── FaceNotFound          face_not_found            422
    │   │   ├── FaceIndexInvalid      face_index_invalid        422
    │   │   ├── TemplateFaceNotFound  template_face_not_found   422
    │   │   ├── FaceTooSmall          face_too_small            422
    │   │   ├── FacePoseUnsupported   face_pose_unsupported     422
    │   │   ├── FaceOutOfFrame        face_out_of_frame         422
    │   │   └── FusionQualityLow      fusion_quality_low        422
    │   ├── FileError
    │   │   ├── FileUnreadable        file_unreadable           400
    │   │   ├── FileUnwritable        file_unwritable           400
    │   │   └── FileExists            file_exists               409
    │   └── ConfigInvalid             config_invalid            500
    ├── NotPermitted                  not_permitted             403
    ├── SignatureInvalid              signature_invalid         401   told to a receiver of webhooks by the client
    ├── LookupFailed
    │   ├── TaskNotFound              task_not_found            404
    │   ├── DeliveryNotFound          delivery_not_found        404
    │   ├── TemplateNotFound          template_not_found        404
    │   ├── TemplateNotReady          template_not_ready        409   retryable
    │   ├── TemplateFailed            template_failed           409
    │   ├── BatchNotFound             batch_not_found           404
    │   ├── RouteNotFound             route_not_found           404
    │   ├── MethodNotAllowed          method_not_allowed        405
    │   ├── TaskEnded                 task_ended                409
    │   ├── RequeueRefused            requeue_refused           409
    │   ├── ResultNotReady            result_not_ready          409   retryable
    │   ├── IdempotencyConflict       idempotency_conflict      409
    │   ├── TaskHeld                  task_held                 409
    │   └── ResultUnavailable         result_unavailable        410
    ├── ModelError
    │   ├── ManifestInvalid           manifest_invalid          500
    │   ├── ModelUnknown              model_unknown             404
    │   ├── ModelDigestMismatch       model_digest_mismatch     500
    │   ├── ModelFetchFailed          model_fetch_failed        503   retryable
    │   ├── ModelLoadFailed           model_load_failed         500
    │   └── OutOfMemory               out_of_memory             503   retryable
    ├── OutageError                   something we stand on is away; retried with back-off
    │   ├── RecordsUnavailable        records_unavailable       503   retryable
    │   ├── RecordsUncertain          records_uncertain         503   retryable
    │   ├── StoreUnavailable          store_unavailable         503   retryable
    │   ├── QueueUnavailable          queue_unavailable         503   retryable
    │   ├── ServerUnreachable         server_unreachable        503   retryable
    │   ├── WaitTimeout               wait_timeout              504   retryable
    │   ├── UploadTimeout             upload_timeout            408   retryable
    │   └── NotAccepting              all is well, but no new work is taken
    │       ├── Maintenance           maintenance               503   retryable
    │       └── Overloaded            overloaded                503   retryable
    ├── TaskFailure                   how a task can end besides the errors above
    │   ├── AttemptsExhausted         attempts_exhausted        500
    │   ├── WorkerLost                worker_lost               500
    │   ├── DeadlineExceeded          deadline_exceeded         504
    │   └── TaskFailed                task_failed               500   as told by a server to its client
    ├── Interrupted                   interrupted               499   told by the command line: Ctrl-C
    ├── RefusedByServer               refused_by_server         502   by a code that this client does not know
    ├── ObjectMissing                 object_missing            500   an input is no longer in the store
    └── InternalError                 internal                  500   a bug of ours
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

Detail = dict[str, object]


class FacefleetError(Exception):
    """Root of the tree.

    Attributes:
        code: Stable machine-readable name; part of the public API.
        status: HTTP status the gateway answers with.
        retryable: Whether the same call can succeed later without being changed.
        title: The class of problem in a few words (``title`` of RFC 9457).
        message: What happened, which value, and what to do.
        detail: JSON-ready facts about this occurrence (limits, sizes, names); never a secret, never image bytes.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    title: ClassVar[str] = "Error"

    def __init__(self, message: str, **detail: object) -> None:
        super().__init__(message)
        self.message = message
        self.detail: Detail = detail


class InputError(FacefleetError):
    """The caller can mend it."""

    status = 422
    title = "Invalid input"


class RequestError(InputError):
    """The request itself cannot be read."""

    code = "request_invalid"
    status = 400
    title = "Request cannot be read"


class OptionInvalid(RequestError):
    """An option is unknown or its value is out of range."""

    code = "option_invalid"
    status = 422
    title = "Option not valid"


class UploadMissing(RequestError):
    """A required part of the form is not there."""

    code = "upload_missing"
    status = 422
    title = "Upload missing"


class UploadTooLarge(RequestError):
    """The request body as a whole is over the limit."""

    code = "upload_too_large"
    status = 413
    title = "Request too large"


class ConsentRequired(RequestError):
    """The caller did not attest the consent of the people shown."""

    code = "consent_required"
    status = 422
    title = "Consent required"


class WebhookUrlRefused(RequestError):
    """Nothing is sent to this address: it is malformed, or not one of the public internet."""

    code = "webhook_url_refused"
    status = 422
    title = "Webhook address refused"


class ImageError(InputError):
    """A photo that cannot be used."""

    title = "Image cannot be used"


class ImageTypeUnsupported(ImageError):
    """Not a JPEG, PNG or WebP by its content."""

    code = "image_type_unsupported"
    status = 415
    title = "Image type not supported"


class ImageTooLargeBytes(ImageError):
    """The file is over the limit of bytes."""

    code = "image_too_large_bytes"
    status = 413
    title = "Image file too large"


class ImageTooLargePixels(ImageError):
    """The header promises more pixels than the limit."""

    code = "image_too_large_pixels"
    title = "Image has too many pixels"


class ImageTooSmall(ImageError):
    """The short side is under the limit."""

    code = "image_too_small"
    title = "Image too small"


class ImageAnimated(ImageError):
    """More than one frame."""

    code = "image_animated"
    title = "Animated image"


class ImageDecodeFailed(ImageError):
    """The header is fine, the rest is damaged."""

    code = "image_decode_failed"
    title = "Image cannot be decoded"


class FaceError(InputError):
    """A face that is missing or cannot be fused."""

    title = "Face cannot be used"


class FaceNotFound(FaceError):
    """No face in the photo."""

    code = "face_not_found"
    title = "No face found"


class FaceIndexInvalid(FaceError):
    """The photo has fewer faces than the index asked for."""

    code = "face_index_invalid"
    title = "No face with this index"


class TemplateFaceNotFound(FaceError):
    """The template has no face with this index."""

    code = "template_face_not_found"
    title = "No such face in the template"


class FaceTooSmall(FaceError):
    """The face has too few pixels."""

    code = "face_too_small"
    title = "Face too small"


class FacePoseUnsupported(FaceError):
    """The head is turned too far."""

    code = "face_pose_unsupported"
    title = "Head turned too far"


class FaceOutOfFrame(FaceError):
    """Part of the face lies outside the photo."""

    code = "face_out_of_frame"
    title = "Face cut by the edge"


class FusionQualityLow(FaceError):
    """The fused face does not look right, by the figures in the detail; `min_strength` allows a weaker blend."""

    code = "fusion_quality_low"
    title = "Result not good enough"


class FileError(InputError):
    """A file named on the command line."""

    status = 400
    title = "File problem"


class FileUnreadable(FileError):
    """The file is missing or cannot be read."""

    code = "file_unreadable"
    title = "File cannot be read"


class FileUnwritable(FileError):
    """The output cannot be written."""

    code = "file_unwritable"
    title = "File cannot be written"


class FileExists(FileError):
    """The output is there already."""

    code = "file_exists"
    status = 409
    title = "File exists"


class ConfigInvalid(InputError):
    """A setting cannot be used."""

    code = "config_invalid"
    status = 500
    title = "Setting not valid"


class NotPermitted(FacefleetError):
    """The caller is known, and may not do this."""

    code = "not_permitted"
    status = 403
    title = "Not permitted"


class SignatureInvalid(FacefleetError):
    """What came to a receiver of webhooks is not from the server whose secret it has, or not fresh."""

    code = "signature_invalid"
    status = 401
    title = "Signature not valid"


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


class TemplateNotReady(LookupFailed):
    """The template is still being prepared."""

    code = "template_not_ready"
    status = 409
    retryable = True
    title = "Template not ready"


class TemplateFailed(LookupFailed):
    """The template could not be prepared, and will not be."""

    code = "template_failed"
    status = 409
    title = "Template has failed"


class BatchNotFound(LookupFailed):
    """No batch with this id for this tenant."""

    code = "batch_not_found"
    title = "Batch not found"


class RouteNotFound(LookupFailed):
    """No such address."""

    code = "route_not_found"
    title = "No such address"


class MethodNotAllowed(LookupFailed):
    """The address exists, the method does not."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


class TaskEnded(LookupFailed):
    """The task has ended and cannot be changed."""

    code = "task_ended"
    status = 409
    title = "Task has ended"


class IdempotencyConflict(LookupFailed):
    """The idempotency key belongs to another request."""

    code = "idempotency_conflict"
    status = 409
    title = "Idempotency key is taken"


class TaskHeld(LookupFailed):
    """The task is under legal hold and cannot be erased."""

    code = "task_held"
    status = 409
    title = "Task is held"


class RequeueRefused(LookupFailed):
    """The task cannot be queued again: it has not ended, or what it needs is gone."""

    code = "requeue_refused"
    status = 409
    title = "Cannot be queued again"


class ResultNotReady(LookupFailed):
    """The task has not finished."""

    code = "result_not_ready"
    status = 409
    retryable = True
    title = "Result not ready"


class ResultUnavailable(LookupFailed):
    """The task ended without a result, or the result has been deleted."""

    code = "result_unavailable"
    status = 410
    title = "No result"


class ModelError(FacefleetError):
    """Weights or their manifest."""

    title = "Model problem"


class ManifestInvalid(ModelError):
    """The manifest cannot be read."""

    code = "manifest_invalid"
    title = "Manifest not valid"


class ModelUnknown(ModelError):
    """No model of this name in the manifest."""

    code = "model_unknown"
    status = 404
    title = "Model unknown"


class ModelDigestMismatch(ModelError):
    """The bytes are not the ones the manifest pins."""

    code = "model_digest_mismatch"
    title = "Model file damaged or replaced"


class ModelFetchFailed(ModelError):
    """The source of the weights did not answer."""

    code = "model_fetch_failed"
    status = 503
    retryable = True
    title = "Model cannot be fetched"


class ModelLoadFailed(ModelError):
    """The runtime does not accept the weights."""

    code = "model_load_failed"
    title = "Model cannot be loaded"


class OutOfMemory(ModelError):
    """A run did not fit into the memory that was left; beside other neighbours it may."""

    code = "out_of_memory"
    status = 503
    retryable = True
    title = "Out of memory"


class OutageError(FacefleetError):
    """Something we stand on is away."""

    status = 503
    retryable = True
    title = "Temporarily unavailable"


class RecordsUnavailable(OutageError):
    """The database does not answer."""

    code = "records_unavailable"
    title = "Records unavailable"


class RecordsUncertain(OutageError):
    """The database went away while it committed: the change is kept, or it is not."""

    code = "records_uncertain"
    title = "Records may or may not have it"


class StoreUnavailable(OutageError):
    """The object store does not answer."""

    code = "store_unavailable"
    title = "Object store unavailable"


class QueueUnavailable(OutageError):
    """The broker does not answer."""

    code = "queue_unavailable"
    title = "Queue unavailable"


class ServerUnreachable(OutageError):
    """The client cannot reach the gateway."""

    code = "server_unreachable"
    title = "Server unreachable"


class WaitTimeout(OutageError):
    """The task did not end within the time its caller would wait."""

    code = "wait_timeout"
    status = 504
    title = "Gave up waiting"


class UploadTimeout(OutageError):
    """The body of a request did not arrive in time: the network, or a client that hangs."""

    code = "upload_timeout"
    status = 408
    title = "Upload took too long"


class NotAccepting(OutageError):
    """Nothing is away, but no new work is taken; ``detail["retry_after"]`` has the s to wait."""


class Maintenance(NotAccepting):
    """Operators have closed the door for new work; what was accepted goes on."""

    code = "maintenance"
    title = "Under maintenance"


class Overloaded(NotAccepting):
    """Too much work waits already."""

    code = "overloaded"
    title = "Too much work waits"


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


class Interrupted(FacefleetError):
    """Whoever waited stopped; ``detail["command"]`` goes on with what was begun, where anything was."""

    code = "interrupted"
    status = 499
    title = "Interrupted"


class RefusedByServer(FacefleetError):
    """A newer server refused, with a code that this client does not know; ``detail["code"]`` has it."""

    code = "refused_by_server"
    status = 502
    title = "Refused by the server"


class ObjectMissing(FacefleetError):
    """An object that a record names is not in the store."""

    code = "object_missing"
    title = "Object missing"


class InternalError(FacefleetError):
    """A bug of ours."""

    code = "internal"
    title = "Internal error"


def tree(root: type[FacefleetError] = FacefleetError) -> Iterator[type[FacefleetError]]:
    """Every class of the tree, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)
