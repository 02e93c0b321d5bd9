"""What the repository of templates must do, on a file, in memory and on PostgreSQL."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from tests.tasks.fakes import LEASE, ORIGIN, AllRecords, FakeClock, a_task

from facefleet.errors.input import FaceNotFound, OptionInvalid
from facefleet.errors.lookup import TemplateNotFound
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.ages import Age
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Consent, Failure, Json, Task
from facefleet.tasks.templates import Template, Templates, TemplateState, made_ready, registered

HOUR = timedelta(hours=1)
FACES: list[Json] = [{"index": 0, "box": {"x": 1.5}}, {"index": 1}]
NO_FACE = FaceNotFound("No face was found in the photo.", image="image")


@pytest.fixture
def templates(database: Database, clock: FakeClock) -> Templates:
    return Templates(database, clock)


def a_template(clock: FakeClock, **changes: Any) -> Template:
    template_id = new_id()
    blank = Template(
        id=template_id, tenant="acme", subject="alice", name="poster", task=new_id(), object=f"photo of {template_id}",
        media_type="image/png", width=3, height=4, bytes=5, digest="d" * 64, consent=Consent("alice", clock()),
        created_at=clock(),
    )  # fmt: skip
    return replace(blank, **changes)


def added(records: AllRecords, clock: FakeClock, **changes: Any) -> Template:
    """As a gateway registers it: with its task, or not at all."""
    template = a_template(clock, **changes)
    task = a_task(clock(), id=template.task, tenant=template.tenant, kind=Kind.TEMPLATE, template=template.id)
    records.add(task, registered(template))
    return template


def run_of(records: AllRecords, template: Template) -> Task:
    run = records.claim(template.task, LEASE, {})
    assert run is not None
    return run


def prepared(records: AllRecords, clock: FakeClock, template: Template) -> bool:
    """As a worker prepares it."""
    return _succeeds(records, clock, run_of(records, template))


def _succeeds(records: AllRecords, clock: FakeClock, run: Task) -> bool:
    output = {"faces": FACES}
    return records.succeed(run, None, None, {}, output=output, beside=[made_ready(run, output, clock())])


def now_of(templates: Templates, template: Template) -> Template:
    return templates.get(template.tenant, template.id)


def test_every_field_of_a_new_template_survives_the_round_trip(
    records: AllRecords, templates: Templates, clock: FakeClock
) -> None:
    template = added(records, clock)
    assert now_of(templates, template) == template == templates.of_task("acme", template.task)
    clock.advance(60)
    assert prepared(records, clock, template)
    ready = replace(template, state=TemplateState.READY, faces=FACES, ready_at=clock())
    assert now_of(templates, template) == ready
    later = {f.name for f in fields(Template) if getattr(ready, f.name) == f.default}
    assert later == {"failure", "deleted_at"}, "a field this test does not fill is not tested"


def test_a_template_whose_task_is_refused_is_not_registered(
    records: AllRecords, templates: Templates, clock: FakeClock
) -> None:
    for _ in range(2):
        template = a_template(clock)
        task = a_task(clock(), id=template.task, kind=Kind.TEMPLATE, idempotency_key="k")
        first = records.add(task, registered(template))
    assert [one.task for one in templates.page("acme", None, 10).rows] == [first.id]


def test_a_run_that_was_taken_over_makes_nothing_ready(
    records: AllRecords, templates: Templates, clock: FakeClock
) -> None:
    template = added(records, clock)
    run = run_of(records, template)
    clock.advance(2 * LEASE.total_seconds())
    assert records.requeue_lost(run)
    assert not _succeeds(records, clock, run)
    assert now_of(templates, template).state is TemplateState.PREPARING
    assert prepared(records, clock, template)
    assert now_of(templates, template).state is TemplateState.READY


def test_it_stands_as_its_task_does_until_it_is_ready(
    records: AllRecords, templates: Templates, clock: FakeClock, database: Database
) -> None:
    template = added(records, clock)
    run = run_of(records, template)
    assert now_of(templates, template).state is TemplateState.PREPARING
    records.fail(run, NO_FACE)
    failed = now_of(templates, template)
    assert (failed.state, failed.failure) == (
        TemplateState.FAILED, Failure("face_not_found", NO_FACE.message, {"image": "image"})
    )  # fmt: skip
    templates.settle()
    assert now_of(templates, template) == failed
    OperatorRecords(database, clock).requeue(template.task, ORIGIN)
    assert (now_of(templates, template).state, now_of(templates, template).failure) == (TemplateState.PREPARING, None)
    assert prepared(records, clock, template)
    assert (now_of(templates, template).state, now_of(templates, template).failure) == (TemplateState.READY, None)


def test_why_it_failed_outlives_the_record_of_its_task(
    records: AllRecords, templates: Templates, clock: FakeClock, database: Database
) -> None:
    failed, canceled, ready = (added(records, clock) for _ in range(3))
    records.fail(run_of(records, failed), NO_FACE)
    records.cancel("acme", canceled.task)
    prepared(records, clock, ready)
    templates.settle()
    retention_records = RetentionRecords(database, clock)
    for template in (failed, canceled, ready):
        task = records.get("acme", template.task)
        retention_records.inputs_deleted(task)
        retention_records.results_deleted(task)
    clock.advance(7200)
    assert retention_records.delete_rows(Age(HOUR)) == 3
    codes = [why.code if (why := now_of(templates, one).failure) else None for one in (failed, canceled, ready)]
    assert codes == ["face_not_found", "template_failed", None]
    assert now_of(templates, ready).faces == FACES


def test_a_deleted_template_is_gone_for_all_but_the_deleter(
    records: AllRecords, templates: Templates, clock: FakeClock
) -> None:
    template = added(records, clock)
    run = run_of(records, template)
    for _ in range(2):
        receipt = templates.delete("acme", template.id, ORIGIN)
        assert (receipt.deleted_at, receipt.name, receipt.faces) == (clock(), "", None)
    for ask, gone in ((templates.get, template.id), (templates.of_task, template.task)):
        with pytest.raises(TemplateNotFound):
            ask("acme", gone)
    assert templates.page("acme", None, 10).rows == []
    assert _succeeds(records, clock, run), "the task may end as it likes"
    assert [(one.id, one.faces) for one in templates.discarded(Age(HOUR))] == [(template.id, None)]


def test_what_is_no_id_is_no_template(templates: Templates) -> None:
    for template_id in ("", "none", "\0", "\ud800", "é" * 36):
        for ask in (templates.get, templates.of_task):
            with pytest.raises(TemplateNotFound):
                ask("acme", template_id)
        with pytest.raises(TemplateNotFound):
            templates.delete("acme", template_id, ORIGIN)


def test_nobody_else_has_the_template(records: AllRecords, templates: Templates, clock: FakeClock) -> None:
    template = added(records, clock)
    with pytest.raises(TemplateNotFound):
        templates.get("other", template.id)
    with pytest.raises(TemplateNotFound):
        templates.delete("other", template.id, ORIGIN)
    assert templates.page("other", None, 10).rows == []
    assert now_of(templates, template).deleted_at is None


def test_pages_go_through_every_template_once_while_new_ones_come(
    records: AllRecords, templates: Templates, clock: FakeClock
) -> None:
    made = [added(records, clock) for _ in range(5)]
    page = templates.page("acme", None, 2)
    found = list(page.rows)
    while page.next_cursor:
        added(records, clock)
        page = templates.page("acme", page.next_cursor, 2)
        found += page.rows
    assert found == made[::-1]
    with pytest.raises(OptionInvalid):
        templates.page("acme", "17", 2)


def test_the_photo_goes_at_once_when_it_is_deleted_and_in_its_time_when_it_failed(
    records: AllRecords, templates: Templates, clock: FakeClock
) -> None:
    ready, deleted, failed, waiting = (added(records, clock) for _ in range(4))
    prepared(records, clock, ready)
    templates.delete("acme", deleted.id, ORIGIN)
    records.cancel("acme", failed.task)
    templates.settle()
    assert [one.id for one in templates.discarded(Age(HOUR))] == [deleted.id]
    clock.advance(7200)
    discarded = templates.discarded(Age(HOUR))
    assert {one.id for one in discarded} == {deleted.id, failed.id}
    every = [one.id for one in (ready, deleted, failed, waiting)]
    assert templates.kept([*every, new_id()]) == dict.fromkeys(every, "acme")
    for one in discarded:
        templates.object_deleted(one)
    assert (templates.discarded(Age(HOUR)), set(templates.kept(every))) == ([], {ready.id, waiting.id})


def test_the_receipt_of_a_deletion_goes_in_its_time_and_no_other_row_does(
    records: AllRecords, templates: Templates, clock: FakeClock
) -> None:
    deleted, failed, photo_left = (added(records, clock) for _ in range(3))
    records.cancel("acme", failed.task)
    for one in (deleted, photo_left):
        templates.delete("acme", one.id, ORIGIN)
    templates.object_deleted(deleted)
    assert templates.delete_rows(Age(HOUR)) == 0
    clock.advance(7200)
    assert templates.delete_rows(Age(HOUR)) == 1
    with pytest.raises(TemplateNotFound):
        templates.delete("acme", deleted.id, ORIGIN)
    assert templates.delete("acme", photo_left.id, ORIGIN).object == photo_left.object
    assert now_of(templates, failed).state is TemplateState.FAILED
