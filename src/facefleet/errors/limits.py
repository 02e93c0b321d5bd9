"""Errors of limits: of what a tenant may do at all, and of how much in a time, which has room again later."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError


class PolicyForbids(FacefleetError):
    """The policy of the tenant does not allow this kind of task, or this option."""

    code = "policy_forbids"
    status = 403
    title = "Not in the policy"


class LimitReached(FacefleetError):
    """A limit was reached; ``detail["retry_after"]`` has the s until there is room again."""

    status = 429
    retryable = True
    title = "Limit reached"


class BacklogFull(LimitReached):
    """As many tasks of the tenant wait as its policy allows."""

    code = "backlog_full"
    title = "Too many of your tasks wait"


class QuotaExceeded(LimitReached):
    """The tenant has sent as many bytes of photos today as its policy allows."""

    code = "quota_exceeded"
    title = "Quota of the day is used up"


class RateLimited(LimitReached):
    """More requests, or refused credentials, than are taken in a while."""

    code = "rate_limited"
    title = "Too many requests"
