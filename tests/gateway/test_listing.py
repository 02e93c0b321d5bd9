"""Asking for one's tasks and for one's usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.gateway.conftest import Door, picture


def submitted(door: Door, count: int) -> list[str]:
    photo = picture()
    return [door.submit(source=photo, target=photo).json()["task_id"] for _ in range(count)]


def test_the_newest_come_first_and_the_cursor_leads_on(door: Door) -> None:
    made = submitted(door, 3)
    first = door.client.get("/v1/tasks", params={"limit": 2}).json()
    assert [task["task_id"] for task in first["tasks"]] == made[:0:-1]
    rest = door.client.get("/v1/tasks", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert ([task["task_id"] for task in rest["tasks"]], rest["next_cursor"]) == (made[:1], None)
    assert rest["tasks"][0] == door.client.get(f"/v1/tasks/{made[0]}").json()


def test_filters_narrow(door: Door) -> None:
    one, other = submitted(door, 2)
    door.client.post(f"/v1/tasks/{one}/cancel")
    created = door.client.get(f"/v1/tasks/{other}").json()["created_at"]
    for query, expected in [
        ({"state": "canceled"}, [one]), ({"kind": "fuse", "state": "queued"}, [other]), ({"kind": "video"}, []),
        ({"created_before": created}, [one]), ({"created_after": created}, []), ({"batch": "0"}, []),
    ]:  # fmt: skip
        found = door.client.get("/v1/tasks", params=query).json()["tasks"]
        assert [task["task_id"] for task in found] == expected, query


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "state=lost", "kind=magic", "cursor=x", "cursor=", "created_after=0",
     "created_after=2026-11-24", "created_after=2026-11-24T09:30:00", "created_after=0001-01-01T00:00:00%2B01:00",
     "batch=%00", "colour=red"],
)  # fmt: skip
def test_a_query_that_cannot_be_answered_names_its_field(shared_door: Door, query: str) -> None:
    answer = shared_door.client.get(f"/v1/tasks?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "option_invalid")
    assert answer.json()["field"] == query.partition("=")[0]


def test_usage_counts_what_was_asked_for_today(door: Door) -> None:
    photo = picture()
    task_id = submitted(door, 2)[0]
    door.client.post(f"/v1/tasks/{task_id}/cancel")
    today = datetime.now(UTC).date()
    found = door.client.get("/v1/usage").json()
    assert (found["from"], found["to"]) == ((today - timedelta(days=29)).isoformat(), today.isoformat())
    (day,) = found["days"]
    assert (day["kind"], day["tasks"], day["canceled"], day["succeeded"]) == ("fuse", 2, 1, 0)
    assert (day["bytes_in"], day["credential"]) == (4 * len(photo), None)
    (everybodys,) = door.client.get("/v1/operator/usage?by=credential").json()["days"]
    assert everybodys == day | {"tenant": "local"}
    assert door.client.get("/v1/operator/usage?tenant=initech").json()["days"] == []
    assert door.client.get("/v1/usage?tenant=initech").status_code == 422
    assert door.client.get("/v1/usage?from=2001-01-01&to=2001-12-31").json()["days"] == []
    assert door.client.get("/v1/usage?to=0001-01-02").status_code == 200


@pytest.mark.parametrize(
    "query", ["from=0", "from=2026-02-30", "from=2026-11-02&to=2026-11-01", "from=2020-01-01&to=2026-01-01", "day=x"]
)
def test_a_span_that_is_none_is_refused(shared_door: Door, query: str) -> None:
    answer = shared_door.client.get(f"/v1/usage?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, query.partition("=")[0])
