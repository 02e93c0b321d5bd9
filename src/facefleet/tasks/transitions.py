"""Lists the states of a task and every change of a record: from which state to which, and who may make it.

``tasks/records/changes.py`` builds the SQL of each change out of its row, so a change that is not here cannot be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a task is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def terminal(self) -> bool:
        """Whether the task has ended; only an operator can queue it again."""
        return self not in UNFINISHED


class Actor(StrEnum):
    """The part of the service that changes a record."""

    GATEWAY = "gateway"
    WORKER = "worker"
    SWEEPER = "sweeper"
    OPERATOR = "operator"


class Change(StrEnum):
    """A change of a record of which its readers are notified."""

    ADD = "add"
    CLAIM = "claim"
    POSTPONE = "postpone"
    ADVANCE = "advance"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY = "retry"
    HAND_BACK = "hand_back"
    REQUEUE_LOST = "requeue_lost"
    FAIL_LOST = "fail_lost"
    FAIL_OVERDUE = "fail_overdue"
    CANCEL = "cancel"
    ERASE = "erase"
    REQUEUE = "requeue"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row.

    Attributes:
        moves: State before → state after. In other states the change is not made; a new record has no state before.
        by: Who may make it.
    """

    moves: Mapping[State | None, State]
    by: frozenset[Actor]


def _row(moves: Mapping[State | None, State], *by: Actor) -> Transition:
    return Transition(moves, frozenset(by))


_SAME: dict[State | None, State] = {state: state for state in State}
_CANCELED: dict[State | None, State] = dict.fromkeys((State.QUEUED, State.RUNNING), State.CANCELED)

TRANSITIONS: Mapping[Change, Transition] = {
    Change.ADD: _row({None: State.QUEUED}, Actor.GATEWAY),
    Change.CLAIM: _row({State.QUEUED: State.RUNNING}, Actor.WORKER),
    Change.POSTPONE: _row({State.QUEUED: State.QUEUED}, Actor.WORKER),
    Change.ADVANCE: _row({State.RUNNING: State.RUNNING}, Actor.WORKER),
    Change.SUCCEED: _row({State.RUNNING: State.SUCCEEDED}, Actor.WORKER),
    Change.FAIL: _row({State.RUNNING: State.FAILED}, Actor.WORKER),
    Change.RETRY: _row({State.RUNNING: State.QUEUED}, Actor.WORKER),
    Change.HAND_BACK: _row({State.RUNNING: State.QUEUED}, Actor.WORKER),
    Change.REQUEUE_LOST: _row({State.RUNNING: State.QUEUED}, Actor.SWEEPER),
    Change.FAIL_LOST: _row({State.RUNNING: State.FAILED}, Actor.SWEEPER),
    Change.FAIL_OVERDUE: _row({State.QUEUED: State.FAILED}, Actor.SWEEPER),
    Change.CANCEL: _row(_CANCELED, Actor.GATEWAY, Actor.OPERATOR),
    Change.ERASE: _row(_SAME | _CANCELED, Actor.GATEWAY),
    Change.REQUEUE: _row(dict.fromkeys((State.FAILED, State.CANCELED), State.QUEUED), Actor.OPERATOR),
    Change.HOLD: _row(_SAME, Actor.OPERATOR),
}


def states_before(change: Change) -> tuple[State, ...]:
    """The states in which a change can be made."""
    return tuple(state for state in TRANSITIONS[change].moves if state is not None)


def _is_left(state: State) -> bool:
    """Whether an actor other than an operator moves a task out of this state."""
    rows = (row for row in TRANSITIONS.values() if row.by - {Actor.OPERATOR})
    return any(row.moves.get(state, state) is not state for row in rows)


UNFINISHED = tuple(state for state in State if _is_left(state))
