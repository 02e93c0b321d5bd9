"""Waits for a task as long as the caller prefers (RFC 7240): ``Prefer: wait=N``, and no other preference."""

from __future__ import annotations

from fastapi import Request, Response

from facefleet.gateway.follow.changes import Changes
from facefleet.tasks.task import Task

LONGEST_WAIT_SECONDS = 30
_WAIT = "wait"
_MOST_DIGITS = 2  # a number of thousands of digits is refused by int(), and is more than the longest wait anyway


def wait_of(headers: list[str]) -> int | None:
    """Read how many s the caller would wait, at most ``LONGEST_WAIT_SECONDS``; none where it gives no number.

    Args:
        headers: Values of ``Prefer``; a preference that is there more than once counts the first time.
    """
    for preference in (part for header in headers for part in header.split(",")):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == _WAIT:
            return _seconds(value.strip().strip('"').strip())
    return None


def _seconds(value: str) -> int | None:
    if not value:  # `wait`, `wait=` and `wait=""` are the same
        return LONGEST_WAIT_SECONDS
    if not (value.isascii() and value.isdigit()):
        return None
    digits = value.lstrip("0") or "0"
    return LONGEST_WAIT_SECONDS if len(digits) > _MOST_DIGITS else min(LONGEST_WAIT_SECONDS, int(digits))


async def waited(changes: Changes, request: Request, response: Response, task: Task, default: float = 0.0) -> Task:
    """Wait until the task has ended, or as long as the caller prefers; no thread is held.

    Args:
        changes: Follows the task.
        request: Its ``Prefer`` says how long.
        response: Gets the header that says which preference was applied.
        task: As it stands.
        default: s to wait where the caller does not say.
    """
    wanted = wait_of(request.headers.getlist("prefer"))
    response.headers.append("Vary", "Prefer")
    if wanted is not None:
        response.headers["Preference-Applied"] = f"{_WAIT}={wanted}"
    return await changes.ended(task, default if wanted is None else wanted)
