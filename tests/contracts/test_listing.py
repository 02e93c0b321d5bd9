"""Lists and sums over the records of a tenant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.tasks.fakes import LEASE, AllRecords, FakeClock, a_task

from facefleet.errors.input import FaceNotFound, OptionInvalid
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.listing import Listing, TaskFilter
from facefleet.tasks.records.usage import DayUsage, Usage
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State


@pytest.fixture
def listing(database: Database) -> Listing:
    return Listing(database)


def added(records: AllRecords, clock: FakeClock, count: int, **changes: object) -> list[Task]:
    """Their ids sort as they are made, within one ms too."""
    made = []
    for _ in range(count):
        made.append(records.add(a_task(clock(), **changes)))
        clock.advance(1)
    return made


def ids(tasks: list[Task]) -> list[str]:
    return [task.id for task in tasks]


def test_pages_go_through_every_task_once_while_new_ones_come(
    records: AllRecords, listing: Listing, clock: FakeClock
) -> None:
    made = added(records, clock, 5)
    added(records, clock, 1, tenant="other")
    page = listing.page("acme", TaskFilter(), None, 2)
    found = list(page.rows)
    while page.next_cursor:
        added(records, clock, 1)
        page = listing.page("acme", TaskFilter(), page.next_cursor, 2)
        found += page.rows
    assert ids(found) == ids(made)[::-1]


def test_a_page_that_is_just_full_has_none_after_it(records: AllRecords, listing: Listing, clock: FakeClock) -> None:
    added(records, clock, 2)
    assert listing.page("acme", TaskFilter(), None, 2).next_cursor is None
    assert listing.page("nobody", TaskFilter(), None, 2).rows == []


def test_what_is_asked_for_narrows(records: AllRecords, listing: Listing, clock: FakeClock) -> None:
    one, two, three = added(records, clock, 3)
    (found,) = added(records, clock, 1, kind=Kind.DETECT)
    records.cancel("acme", two.id)

    def of(**wanted: object) -> list[str]:
        return ids(listing.page("acme", TaskFilter(**wanted), None, 10).rows)  # type: ignore[arg-type]

    assert of(state=State.CANCELED) == [two.id]
    assert of(kind=Kind.DETECT) == [found.id]
    assert of(created_after=two.created_at) == [found.id, three.id]
    assert of(created_before=two.created_at) == [one.id]
    assert of(created_after=one.created_at, created_before=found.created_at, state=State.QUEUED) == [three.id]


def test_the_items_of_a_batch_come_in_their_order(records: AllRecords, listing: Listing, clock: FakeClock) -> None:
    for item in (2, 0, 11, 1):
        records.add(replace(a_task(clock()), batch="b", item=item))
    added(records, clock, 1)
    first = listing.page("acme", TaskFilter(batch="b"), None, 3)
    rest = listing.page("acme", TaskFilter(batch="b"), first.next_cursor, 3)
    assert [task.item for task in first.rows + rest.rows] == [0, 1, 2, 11]
    assert rest.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "1", "01a20e42-707a-714b-86bb-975c820e7af2\0", "' OR 1=1", "é" * 36])
def test_a_cursor_that_was_never_given_is_refused(listing: Listing, cursor: str) -> None:
    with pytest.raises(OptionInvalid) as met:
        listing.page("acme", TaskFilter(), cursor, 10)
    assert met.value.detail["field"] == "cursor"


def test_usage_is_summed_by_day_of_utc_and_by_kind(records: AllRecords, database: Database, clock: FakeClock) -> None:
    clock.now = datetime(2026, 11, 2, 23, 59, 59, 999_999, tzinfo=UTC)
    (late,) = added(records, clock, 1, bytes_in=3_000_000_000)
    (next_day, failed) = added(records, clock, 2, bytes_in=1_000)
    added(records, clock, 1, kind=Kind.DETECT)
    added(records, clock, 1, tenant="other")
    run = records.claim(late.id, LEASE, {})
    bad = records.claim(failed.id, LEASE, {})
    assert run is not None
    assert bad is not None
    records.succeed(run, "key", "image/png", {}, bytes_out=4_000_000_000, seconds=1.25)
    records.fail(bad, FaceNotFound("None."))
    records.cancel("acme", next_day.id)
    usage, second, third = Usage(database), date(2026, 11, 2), date(2026, 11, 3)
    expected = [
        DayUsage(second, "acme", Kind.FUSE, 1, 1, 0, 0, 3_000_000_000, 4_000_000_000, 1.25, None),
        DayUsage(third, "acme", Kind.DETECT, 1, 0, 0, 0, 0, 0, 0.0, None),
        DayUsage(third, "acme", Kind.FUSE, 2, 0, 1, 1, 2_000, 0, 0.0, None),
    ]
    assert usage.days("acme", second, third) == expected
    assert usage.days("acme", second, second) == expected[:1]
    assert usage.days("acme", third + timedelta(days=1), third + timedelta(days=2)) == []
    everybody = usage.days(None, second, third)
    assert [(one.tenant, one.tasks) for one in everybody] == [("acme", 1), ("acme", 1), ("acme", 2), ("other", 1)]


def test_usage_tells_keys_apart_where_it_is_asked(records: AllRecords, database: Database, clock: FakeClock) -> None:
    for credential, count in (("key-1", 2), ("key-2", 1), (None, 1)):
        added(records, clock, count, credential=credential, bytes_in=10)
    first, last = clock.now.date() - timedelta(days=1), clock.now.date()
    assert sum(one.tasks for one in Usage(database).days("acme", first, last)) == 4
    split = Usage(database).days("acme", first, last, by_credential=True)
    assert [(one.credential, one.tasks, one.bytes_in) for one in split] == [
        (None, 1, 10), ("key-1", 2, 20), ("key-2", 1, 10),
    ]  # fmt: skip
