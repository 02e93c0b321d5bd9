"""``facefleet config``."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_every_setting_is_told_with_its_variable_and_whether_it_is_set(run: Run) -> None:
    done = run("config", "--json", FACEFLEET_GATEWAY__PORT="9000")
    rows = {row["name"]: row for row in done.document["settings"]}
    port = rows["gateway.port"]
    assert (port["value"], port["default"], port["set"]) == (9000, 8080, True)
    assert port["variable"] == "FACEFLEET_GATEWAY__PORT"
    assert rows["gateway.host"]["set"] is False
    assert all(row["description"] for row in rows.values())


def test_secrets_show_as_stars(run: Run) -> None:
    secret = {"FACEFLEET_RECORDS__URL": "postgresql://u:hush@db/x", "FACEFLEET_QUEUE__URL": "redis://:hush@q/0"}
    for done in (run("config", **secret), run("config", "--json", **secret)):
        assert done.status == 0
        assert "hush" not in done.out + done.err
        assert "**********" in done.out


def test_a_setting_from_the_file_counts_as_set(run: Run, tmp_path: Path) -> None:
    (tmp_path / "facefleet.toml").write_text("[worker]\nthreads = 7\n")
    rows = run("config", "--json", FACEFLEET_CONFIG="facefleet.toml").document["settings"]
    assert {row["name"]: (row["value"], row["set"]) for row in rows}["worker.threads"] == (7, True)
