"""``facefleet config`` and ``facefleet doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest
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


@pytest.mark.usefixtures("models")
def test_a_healthy_machine_passes_the_doctor(run: Run) -> None:
    done = run("doctor", "--json")
    assert done.status == 0, done.out
    found = {check["check"]: check for check in done.document["checks"]}
    assert done.document["ok"] is True
    assert {"python", "packages: engine", "valkey", "models", "inference", "data folder", "model cache"} <= set(found)
    assert all(check["state"] in ("ok", "warn") for check in found.values())
    assert "alkey" in found["valkey"]["found"]


def test_the_doctor_says_what_to_do_about_missing_models(run: Run, tmp_path: Path) -> None:
    done = run("doctor", FACEFLEET_ENGINE__CACHE=str(tmp_path / "empty"))
    assert done.status == 1
    assert "fail  models: face_detection_full_range missing" in done.out
    assert "→ Run `facefleet models pull`." in done.out
    assert not (tmp_path / "empty").exists()


def test_the_doctor_goes_on_where_settings_cannot_be_read(run: Run) -> None:
    done = run("doctor", "--json", FACEFLEET_WORKER__THREADS="0")
    assert done.status == 1
    states = {check["check"]: check["state"] for check in done.document["checks"]}
    assert states["settings"] == "fail"
    assert states["python"] == "ok"


@pytest.mark.usefixtures("models")
def test_the_doctor_finds_a_folder_that_cannot_be_written(run: Run) -> None:
    done = run("doctor", "--json", FACEFLEET_DATA="/proc/facefleet")
    assert done.status == 1
    (folder,) = [check for check in done.document["checks"] if check["check"] == "data folder"]
    assert folder["state"] == "fail"
    assert "FACEFLEET_DATA" in folder["advice"]


def test_the_doctor_finds_a_package_that_does_not_import(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    done = run("doctor", "--json", PYTHONPATH=str(tmp_path / "broken"))
    assert done.status == 1
    (engine,) = [check for check in done.document["checks"] if check["check"] == "packages: engine"]
    assert engine["state"] == "fail"
    assert "libGL.so.1" in engine["found"]
