"""Performs the actions of operators, for command line and API: show and pause lanes, maintenance, cancel a task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from facefleet.clock import Clock
from facefleet.errors.input import OptionInvalid
from facefleet.tasks.audit import Action, Entry, Origin
from facefleet.tasks.lanes import Lane
from facefleet.tasks.records.changes import OnCommit, ignore_commit
from facefleet.tasks.records.lane_counts import LaneCount, LaneCounts
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.routes import STABLE
from facefleet.tasks.switches import MAINTENANCE, Switch, Switches, pause_of
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import Actor


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane as an operator sees it.

    Attributes:
        oldest_seconds: How long the queued task that has waited longest could have run; 0 where none waits.
        paused_since: UTC; none: it is served.
        reason: Of the pause, in the operator's words.
    """

    track: str
    lane: str
    queued: int
    running: int
    oldest_seconds: float
    paused_since: datetime | None = None
    reason: str = ""


class Control:
    """The actions of operators. They need the records alone, and work while gateway, workers and broker are away.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock, on_commit: OnCommit = ignore_commit) -> None:
        self.tasks = OperatorRecords(database, clock, on_commit)
        self.lane_counts = LaneCounts(database, clock)
        self._records = TaskRepository(database, clock, on_commit)
        self._switches = Switches(database, clock)
        self._clock = clock

    def cancel(self, task_id: str, origin: Origin) -> Task:
        """Cancel a task of any tenant that has not ended.

        Raises:
            TaskNotFound: There is none of this id.
            TaskEnded: It has succeeded or failed.
        """
        return self._records.cancel(self.tasks.get(task_id).tenant, task_id, origin, by=Actor.OPERATOR)

    def lanes(self) -> list[LaneStatus]:
        """Every lane of the stable track, and every other lane that has unfinished tasks."""
        counts = {(count.track, count.lane): count for count in self.lane_counts.all()}
        switches, now = self._switches.all(), self._clock()
        known = [(STABLE, lane.value) for lane in Lane]
        known += sorted(counts.keys() - set(known))
        statuses = []
        for track, lane in known:
            count, pause = counts.get((track, lane), LaneCount(track, lane)), switches.get(pause_of(track, lane))
            since, reason = (pause.since, pause.reason) if pause else (None, "")
            statuses.append(LaneStatus(track, lane, count.queued, count.running, count.waited(now), since, reason))
        return statuses

    def pause(self, lane: str, origin: Origin, track: str = STABLE, reason: str = "") -> None:
        """Pause a lane: workers take no more of its tasks; running tasks go on, and new ones are accepted.

        Raises:
            OptionInvalid: There is no such lane or track.
        """
        self._switches.on(_pause(track, lane), self._entry(origin, Action.LANE_PAUSE, f"{track}.{lane}"), reason)

    def resume(self, lane: str, origin: Origin, track: str = STABLE) -> None:
        """End the pause of a lane.

        Raises:
            OptionInvalid: There is no such lane or track.
        """
        self._switches.off(_pause(track, lane), self._entry(origin, Action.LANE_RESUME, f"{track}.{lane}"))

    def maintenance(self) -> Switch | None:
        """Since when and why no new tasks are accepted; none where they are."""
        return self._switches.all().get(MAINTENANCE)

    def begin_maintenance(self, origin: Origin, reason: str = "") -> None:
        """Accept no new tasks; those that were accepted go on."""
        self._switches.on(MAINTENANCE, self._entry(origin, Action.MAINTENANCE_BEGIN), reason)

    def end_maintenance(self, origin: Origin) -> None:
        """Accept new tasks again."""
        self._switches.off(MAINTENANCE, self._entry(origin, Action.MAINTENANCE_END))

    def _entry(self, origin: Origin, action: Action, object: str | None = None) -> Entry:  # noqa: A002
        """An entry about what is no tenant's."""
        return origin.entry(action, self._clock(), object, tenant="")


def _pause(track: str, lane: str) -> str:
    if lane not in list(Lane):
        raise OptionInvalid(
            f"There is no lane {lane[:64]!r}; lanes are {', '.join(Lane)}.", field="lane", known=list(Lane)
        )
    if track != STABLE:
        raise OptionInvalid(f"There is no track {track[:64]!r}; tracks are {STABLE}.", field="track", known=[STABLE])
    return pause_of(track, lane)
