"""The one tree of errors: every failure a user can meet, on every floor.

A class carries a stable ``code``, the HTTP ``status`` it becomes and whether trying again can help (``retryable``).
The class decides between retry and failure; nobody parses messages. Where each can arise on the path of a request::

    command line ─┐
                  ├─► gateway ──► store, records ──► queue ──► worker ──► engine ──► store, records
    client ───────┘   │           │                  │         │          │
                      │           OutageError ◄──────┘         WorkerLost ImageError, FaceError, ModelError
                      RequestError, ImageError (from the header), ConsentRequired

    FacefleetError
    ├── InputError                    input.py      the caller can mend it; never retried
    │   ├── RequestError              request_invalid           400
    │   │   ├── OptionInvalid         option_invalid            422
    │   │   ├── UploadMissing         upload_missing            422
    │   │   ├── UploadMismatch        upload_mismatch           422
    │   │   ├── UploadTooLarge        upload_too_large          413
    │   │   ├── ConsentRequired       consent_required          422
    │   │   ├── WebhookUrlRefused     webhook_url_refused       422
    │   │   ├── PhotoUrlRefused       photo_url_refused         422
    │   │   ├── PhotoNotFetched       photo_not_fetched         422
    │   │   └── MethodNotAllowed      method_not_allowed        405
    │   ├── ImageError
    │   │   ├── ImageTypeUnsupported  image_type_unsupported    415
    │   │   ├── ImageTooLargeBytes    image_too_large_bytes     413
    │   │   ├── ImageTooLargePixels   image_too_large_pixels    422
    │   │   ├── ImageTooSmall         image_too_small           422
    │   │   ├── ImageAnimated         image_animated            422
    │   │   ├── ImageDecodeFailed     image_decode_failed       422
    │   │   └── ContentRejected       content_rejected          422
    │   ├── FaceError
    │   │   ├── FaceNotFound          face_not_found            422
    │   │   ├── FaceIndexInvalid      face_index_invalid        422
    │   │   ├── TemplateFaceNotFound  template_face_not_found   422
    │   │   ├── FaceTooSmall          face_too_small            422
    │   │   ├── FacePoseUnsupported   face_pose_unsupported     422
    │   │   ├── FaceOutOfFrame        face_out_of_frame         422
    │   │   ├── FaceOverexposed       face_overexposed          422
    │   │   ├── FaceOccluded          face_occluded             422
    │   │   └── FusionQualityLow      fusion_quality_low        422
    │   ├── FileError
    │   │   ├── FileUnreadable        file_unreadable           400
    │   │   ├── FileUnwritable        file_unwritable           400
    │   │   └── FileExists            file_exists               409
    │   └── ConfigInvalid             config_invalid            500
    ├── Unauthenticated               unauthenticated           401   access.py; nobody whom the service knows
    │   ├── CredentialInvalid         credential_invalid        401
    │   ├── CredentialExpired         credential_expired        401
    │   └── CredentialRevoked         credential_revoked        401
    ├── CsrfTokenInvalid              csrf_token_invalid        403   access.py
    ├── NotPermitted                  not_permitted             403   access.py
    ├── PolicyForbids                 policy_forbids            403   limits.py; what a tenant may do, and how much
    ├── LimitReached                  limits.py
    │   ├── BacklogFull               backlog_full              429   retryable
    │   ├── QuotaExceeded             quota_exceeded            429   retryable
    │   └── RateLimited               rate_limited              429   retryable
    ├── LookupFailed                  lookup.py     nothing is there
    │   ├── TaskNotFound              task_not_found            404
    │   ├── DeliveryNotFound          delivery_not_found        404
    │   ├── TemplateNotFound          template_not_found        404
    │   ├── UploadNotFound            upload_not_found          404
    │   ├── BatchNotFound             batch_not_found           404
    │   ├── KeyNotFound               key_not_found             404
    │   └── RouteNotFound             route_not_found           404
    ├── Conflict                      conflict.py   it is there, but in another state
    │   ├── TemplateNotReady          template_not_ready        409   retryable
    │   ├── TemplateFailed            template_failed           409
    │   ├── UploadIncomplete          upload_incomplete         409
    │   ├── TaskEnded                 task_ended                409
    │   ├── IdempotencyConflict       idempotency_conflict      409
    │   ├── TaskHeld                  task_held                 409
    │   ├── RequeueRefused            requeue_refused           409
    │   ├── KeyEnded                  key_ended                 409
    │   ├── ResultNotReady            result_not_ready          409   retryable
    │   └── ResultUnavailable         result_unavailable        410
    ├── ModelError                    model.py
    │   ├── ManifestInvalid           manifest_invalid          500
    │   ├── ModelUnknown              model_unknown             404
    │   ├── ModelDigestMismatch       model_digest_mismatch     500
    │   ├── ModelFetchFailed          model_fetch_failed        503   retryable
    │   ├── ModelLoadFailed           model_load_failed         500
    │   └── OutOfMemory               out_of_memory             503   retryable
    ├── OutageError                   outage.py     something the service stands on is away; retried with back-off
    │   ├── RecordsUnavailable        records_unavailable       503   retryable
    │   ├── RecordsUncertain          records_uncertain         503   retryable
    │   ├── StoreUnavailable          store_unavailable         503   retryable
    │   ├── QueueUnavailable          queue_unavailable         503   retryable
    │   ├── InspectionUnavailable     inspection_unavailable    503   retryable
    │   ├── IssuerUnavailable         issuer_unavailable        503   retryable
    │   ├── UploadTimeout             upload_timeout            408   retryable
    │   ├── NotAccepting              all is well, but no new work is taken
    │   │   ├── Maintenance           maintenance               503   retryable
    │   │   └── Overloaded            overloaded                503   retryable
    │   ├── ServerUnreachable         server_unreachable        503   retryable   client.py
    │   └── WaitTimeout               wait_timeout              504   retryable   client.py
    ├── TaskFailure                   task.py       how a task can end besides the errors above
    │   ├── AttemptsExhausted         attempts_exhausted        500
    │   ├── WorkerLost                worker_lost               500
    │   ├── DeadlineExceeded          deadline_exceeded         504
    │   └── TaskFailed                task_failed               500   as told by a server to its client
    ├── ObjectMissing                 object_missing            500   an input is no longer in the store
    ├── Interrupted                   interrupted               499   client.py; told by the command line: Ctrl-C
    ├── RefusedByServer               refused_by_server         502   a code that this client does not know
    ├── SignatureInvalid              signature_invalid         401   told to a receiver of webhooks by the client
    └── InternalError                 internal                  500   base.py; a bug of ours

Whoever writes a client imports the classes from here; the code of this package names their modules.
"""

from __future__ import annotations

from facefleet.errors.access import (
    CredentialExpired,
    CredentialInvalid,
    CredentialRevoked,
    CsrfTokenInvalid,
    NotPermitted,
    Unauthenticated,
)
from facefleet.errors.base import FacefleetError, InternalError
from facefleet.errors.client import Interrupted, RefusedByServer, ServerUnreachable, SignatureInvalid, WaitTimeout
from facefleet.errors.conflict import (
    Conflict,
    IdempotencyConflict,
    KeyEnded,
    RequeueRefused,
    ResultNotReady,
    ResultUnavailable,
    TaskEnded,
    TaskHeld,
    TemplateFailed,
    TemplateNotReady,
    UploadIncomplete,
)
from facefleet.errors.input import (
    ConfigInvalid,
    ConsentRequired,
    ContentRejected,
    FaceError,
    FaceIndexInvalid,
    FaceNotFound,
    FaceOccluded,
    FaceOutOfFrame,
    FaceOverexposed,
    FacePoseUnsupported,
    FaceTooSmall,
    FileError,
    FileExists,
    FileUnreadable,
    FileUnwritable,
    FusionQualityLow,
    ImageAnimated,
    ImageDecodeFailed,
    ImageError,
    ImageTooLargeBytes,
    ImageTooLargePixels,
    ImageTooSmall,
    ImageTypeUnsupported,
    InputError,
    MethodNotAllowed,
    OptionInvalid,
    PhotoNotFetched,
    PhotoUrlRefused,
    RequestError,
    TemplateFaceNotFound,
    UploadMismatch,
    UploadMissing,
    UploadTooLarge,
    WebhookUrlRefused,
)
from facefleet.errors.limits import BacklogFull, LimitReached, PolicyForbids, QuotaExceeded, RateLimited
from facefleet.errors.lookup import (
    BatchNotFound,
    DeliveryNotFound,
    KeyNotFound,
    LookupFailed,
    RouteNotFound,
    TaskNotFound,
    TemplateNotFound,
    UploadNotFound,
)
from facefleet.errors.model import (
    ManifestInvalid,
    ModelDigestMismatch,
    ModelError,
    ModelFetchFailed,
    ModelLoadFailed,
    ModelUnknown,
    OutOfMemory,
)
from facefleet.errors.outage import (
    InspectionUnavailable,
    IssuerUnavailable,
    Maintenance,
    NotAccepting,
    OutageError,
    Overloaded,
    QueueUnavailable,
    RecordsUnavailable,
    RecordsUncertain,
    StoreUnavailable,
    UploadTimeout,
)
from facefleet.errors.task import (
    AttemptsExhausted,
    DeadlineExceeded,
    ObjectMissing,
    TaskFailed,
    TaskFailure,
    WorkerLost,
)

__all__ = [
    "AttemptsExhausted", "BacklogFull", "BatchNotFound", "ConfigInvalid", "Conflict", "ConsentRequired",
    "ContentRejected", "CredentialExpired", "CredentialInvalid", "CredentialRevoked", "CsrfTokenInvalid",
    "DeadlineExceeded", "DeliveryNotFound", "FaceError", "FaceIndexInvalid", "FaceNotFound", "FaceOccluded",
    "FaceOutOfFrame", "FaceOverexposed", "FacePoseUnsupported", "FaceTooSmall", "FacefleetError", "FileError",
    "FileExists", "FileUnreadable", "FileUnwritable", "FusionQualityLow", "IdempotencyConflict",
    "ImageAnimated", "ImageDecodeFailed", "ImageError", "ImageTooLargeBytes", "ImageTooLargePixels",
    "ImageTooSmall", "ImageTypeUnsupported", "InputError", "InspectionUnavailable", "InternalError",
    "Interrupted", "IssuerUnavailable", "KeyEnded", "KeyNotFound", "LimitReached", "LookupFailed",
    "Maintenance", "ManifestInvalid", "MethodNotAllowed", "ModelDigestMismatch", "ModelError",
    "ModelFetchFailed", "ModelLoadFailed", "ModelUnknown", "NotAccepting", "NotPermitted", "ObjectMissing",
    "OptionInvalid", "OutOfMemory", "OutageError", "Overloaded", "PhotoNotFetched", "PhotoUrlRefused",
    "PolicyForbids", "QueueUnavailable", "QuotaExceeded", "RateLimited", "RecordsUnavailable",
    "RecordsUncertain", "RefusedByServer", "RequestError", "RequeueRefused", "ResultNotReady",
    "ResultUnavailable", "RouteNotFound", "ServerUnreachable", "SignatureInvalid", "StoreUnavailable",
    "TaskEnded", "TaskFailed", "TaskFailure", "TaskHeld", "TaskNotFound", "TemplateFaceNotFound",
    "TemplateFailed", "TemplateNotFound", "TemplateNotReady", "Unauthenticated", "UploadIncomplete",
    "UploadMismatch", "UploadMissing", "UploadNotFound", "UploadTimeout", "UploadTooLarge", "WaitTimeout",
    "WebhookUrlRefused", "WorkerLost",
]  # fmt: skip
