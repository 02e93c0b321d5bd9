"""Defines a task's events: an event is the record at one version; the version is its id, the state its name.

Events are not stored: a reader that comes late, or reconnects, reads the record. Readers that wait for a change are
only sent a wake; a wake that is lost delays them and has no other effect.
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
        """The text that is sent."""
        return f"{self.task_id} {self.version}"

    @classmethod
    def decode(cls, text: str) -> Wake | None:
        """The wake in a text that was received; none where it is no wake, or one of another release."""
        task_id, _, version = text.partition(" ")
        return cls(task_id, int(version)) if task_id and version.isascii() and version.isdigit() else None


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a task as its readers get it.

    Attributes:
        id: The record's version; a reader that has seen it needs no earlier one.
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
