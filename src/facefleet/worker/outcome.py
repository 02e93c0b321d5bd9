"""Says how a run can end, and what a handler hands over when its work is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Update

from facefleet.engine.types import Picture
from facefleet.errors.base import InternalError
from facefleet.tasks.kinds import KINDS, Kind, Result
from facefleet.tasks.task import Json


class Ending(StrEnum):
    """How a run ended; the values are labels of metrics and traces.

    Attributes:
        SUCCEEDED: The record names this run's result.
        FAILED: The task ended with an error.
        RETRIED: The task is queued for another run.
        HANDED_BACK: The worker left; the task is queued as if this run had not been.
        FENCED: The task was canceled, erased or taken over by another run.
        ERROR: The outcome could not be written; the lease expires and the sweeper goes on.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRIED = "retried"
    HANDED_BACK = "handed_back"
    FENCED = "fenced"
    ERROR = "error"

    @property
    def ends_task(self) -> bool:
        """Whether the task is over with this run."""
        return self in (Ending.SUCCEEDED, Ending.FAILED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a handler made.

    Attributes:
        picture: To be marked and stored as the result; none where there is only ``output``.
        output: JSON for the record: what was found, or which faces of the picture were replaced.
        beside: Changes of other records that become true in the transaction of the success.
    """

    picture: Picture | None = None
    output: Json | None = None
    beside: Sequence[Update] = ()


def check_outcome(kind: Kind, outcome: Outcome) -> None:
    """Check that a handler made what the table of kinds says: a picture, or none.

    Raises:
        InternalError: It made something else.
    """
    picture_due = KINDS[kind].result is Result.PICTURE
    if picture_due is not (outcome.picture is not None):
        made = "no picture" if picture_due else "a picture"
        raise InternalError(f"The handler of {kind} made {made}.", kind=kind.value)
