"""Errors for what the service stands on and cannot reach or fill further. Retried with back-off."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError


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


class IssuerUnavailable(OutageError):
    """The keys that tokens are verified with cannot be fetched from their issuer."""

    code = "issuer_unavailable"
    title = "Issuer of tokens unavailable"


class InspectionUnavailable(OutageError):
    """A photo could not be inspected, so it is not used."""

    code = "inspection_unavailable"
    title = "Inspection unavailable"


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
