"""What a leaving worker hands back goes to the broker at once, or to the sweeper later."""

from __future__ import annotations

from tests.queue.conftest import Build, Rig
from tests.servers import ValkeyServer
from tests.tasks.fakes import LEASE

from facefleet.queue.resend import Resend
from facefleet.tasks.task import Task


def handed_back(rig: Rig) -> Task:
    task = rig.accept()
    rig.hands().take_id()
    run = rig.records.claim(task.id, LEASE, {})
    assert run is not None
    back = rig.records.hand_back(run)
    assert back is not None
    return back


def test_a_task_handed_back_is_sent_and_marked_and_the_sweeper_leaves_it_alone(rig: Rig) -> None:
    task = handed_back(rig)
    Resend(rig.records, rig.broker, rig.submitter)(task)
    assert rig.waiting(task.route) == [task.id]
    assert rig.now_of(task).sent_epoch == rig.broker.epoch()
    rig.sweeper.round()
    assert rig.done() == {}


def test_while_the_broker_is_away_the_record_stays_unsent_for_the_sweeper(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    rig.sweeper.round()
    task = handed_back(rig)
    mortal.kill()
    Resend(rig.records, rig.broker, rig.submitter)(task)
    assert [found.id for found in rig.records.unsent()] == [task.id]
