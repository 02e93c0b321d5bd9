"""The root of the tree of errors, and the leaf for bugs of ours."""

from __future__ import annotations

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


class InternalError(FacefleetError):
    """A bug of ours."""

    code = "internal"
    title = "Internal error"
