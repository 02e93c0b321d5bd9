"""``facefleet policies`` on real records, while nothing else runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.schemas import bring_to_schema

from facefleet.tasks.tables.database import Database


@pytest.fixture
def here(tmp_path: Path, environment: dict[str, str]) -> list[str]:
    file = tmp_path / "policies.toml"
    file.write_text("[plans.vip]\nbacklog = 9\n")
    environment["FACEFLEET_POLICIES__FILE"] = str(file)
    database = Database(f"sqlite:///{tmp_path / 'records.db'}")
    bring_to_schema(database)
    database.close()
    return ["--data", str(tmp_path)]


def shown(run: Run, here: list[str], *args: str) -> Any:
    result = run("policies", *args, *here, "--json")
    assert result.status == 0, result.out + result.err
    return result.document


def test_values_are_set_one_by_one_and_taken_back(run: Run, here: list[str]) -> None:
    assert shown(run, here, "set", "tenant", "studio", "plan=vip")["policy"]["backlog"] == 9
    done = shown(run, here, "set", "tenant", "studio", "kinds=fuse,detect", "tenant_rate=5/1s")["policy"]
    assert (done["backlog"], done["kinds"], done["tenant_rate"]) == (9, ["fuse", "detect"], "5/1s")
    assert shown(run, here, "set", "tenant", "studio", "backlog=")["policy"]["backlog"] is None
    (stored,) = shown(run, here, "list")["policies"]
    assert stored["policy"] == {"plan": "vip", "kinds": ["fuse", "detect"], "tenant_rate": "5/1s", "backlog": None}
    assert shown(run, here, "clear", "tenant", "studio")["policy"]["kinds"] is None
    assert shown(run, here, "list") == {"policies": []}
    assert shown(run, here, "show", "plan", "vip")["policy"]["backlog"] == 9


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("set", "tenant", "studio", "backlog=many"), "backlog"),
        (("set", "tenant", "studio", "plan=gold"), "gold"),
        (("set", "tenant", "studio", "tenant_rate=5"), "600/60s"),
        (("set", "tenant", "../x", "backlog=1"), "../x"),
        (("set", "tenant", "studio", "backlog"), "NAME=VALUE"),
        (("show", "team", "studio"), "team"),
    ],
)
def test_a_mistake_is_named(run: Run, here: list[str], args: tuple[str, ...], named: str) -> None:
    result = run("policies", *args, *here)
    assert result.status != 0
    assert named in (result.out + result.err)
    assert "Traceback" not in (result.out + result.err)


def test_what_is_set_is_shown_to_people(run: Run, here: list[str]) -> None:
    result = run("policies", "set", "plan", "trial", "lane=bulk", *here)
    assert "bulk" in (result.out + result.err)
    assert "trial" in run("policies", "list", *here).out


def test_bounds_are_json_and_other_lists_have_commas(run: Run, here: list[str]) -> None:
    values = ('bounds={"strength": {"max": 0.8}}', "attest=own_photo", "labels=trial,studio 1")
    done = shown(run, here, "set", "plan", "vip", *values)["policy"]
    assert done["bounds"] == {"strength": {"min": None, "max": 0.8}}
    assert (done["attest"], done["labels"]) == (["own_photo"], ["trial", "studio 1"])
    assert shown(run, here, "set", "plan", "vip", "bounds=")["policy"]["bounds"] is None
    by_role = shown(run, here, "set", "plan", "vip", 'role_rates={"viewer": "60/60s"}')["policy"]["role_rates"]
    assert by_role == {"viewer": "60/60s"}
    wrong = run("policies", "set", "plan", "vip", "bounds=strength", *here)
    assert wrong.status != 0
    assert '{"strength": {"max": 0.8}}' in wrong.out + wrong.err
