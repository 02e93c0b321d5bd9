"""Defines a task's events: an event is the record as it stands, the version is its id, the state its name.

Nothing else is kept of it: who comes late, or comes back, reads the record. What travels is only a wake, to whoever
waits for a change; a wake that is lost costs time and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.tasks.task import Task

CHANNEL = "wakes"  # after the prefix of every key in the broker


@dataclass(frozen=True, slots=True)
class Wake:
    """A record has changed: there is something to read from this version on."""

    task_id: str
    version: int

    def encode(self) -> str:
        """As it travels."""
        return f"{self.task_id} {self.version}"

    @classmethod
    def decode(cls, text: str) -> Wake | None:
        """What travelled; none where it is no wake, or one of another release."""
        task_id, _, version = text.partition(" ")
        return cls(task_id, int(version)) if task_id and version.isascii() and version.isdigit() else None


@dataclass(frozen=True, slots=True)
class Event:
    """What a reader of a task's events gets.

    Attributes:
        id: The record's version; whoever has seen it has seen all before it.
        name: The record's state.
        last: No event follows.
    """

    id: int
    name: str
    last: bool

    @classmethod
    def of(cls, task: Task) -> Event:
        """The event that a record is."""
        return cls(task.version, task.state.value, task.state.terminal)
