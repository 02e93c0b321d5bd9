"""``facefleet doctor``: exit status and document, with real servers, and where only the gateway is installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.servers import HOST, PostgresServer, SeaweedServer, ValkeyServer, free_port

ROOT = Path(__file__).parents[3]
FIELDS = {"check", "state", "found", "advice", "line", "wanted"}


def by_name(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    assert set(document) == {"format", "facefleet", "ok", "status", "contract", "checks"}
    assert document["format"] == 1
    assert all(set(check) == FIELDS for check in document["checks"])
    assert all(check["state"] in ("ok", "warning", "broken", "skipped") for check in document["checks"])
    assert all(isinstance(check[field], str) for check in document["checks"] for field in FIELDS)
    return {check["check"]: check for check in document["checks"]}


def a_contract(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "contract.toml"
    path.write_text(text)
    return path


@pytest.fixture
def nowhere() -> dict[str, str]:
    """Settings of servers that are not there."""
    return {
        "FACEFLEET_QUEUE__URL": f"redis://:open-sesame@{HOST}:{free_port()}/0",
        "FACEFLEET_RECORDS__URL": f"postgresql://me:open-sesame@{HOST}:{free_port()}/records",
        "FACEFLEET_OBJECTS__URL": "s3://photos",
        "FACEFLEET_OBJECTS__ENDPOINT": f"http://{HOST}:{free_port()}",
        "FACEFLEET_OBJECTS__ACCESS_KEY": "AKIA-open-sesame",
        "FACEFLEET_OBJECTS__SECRET_KEY": "open-sesame",
    }


@pytest.mark.usefixtures("models")
def test_a_machine_without_servers_is_fine(run: Run, tmp_path: Path) -> None:
    done = run("doctor", "--json")
    assert done.status == 0, done.out
    found = by_name(done.document)
    assert (done.document["ok"], done.document["status"], done.document["contract"]) == (True, 0, None)
    assert {"python", "memory", "packages.engine", "valkey", "models", "inference", "accelerator.provider"} <= set(
        found
    )
    assert found["records"]["state"] == found["store"]["state"] == "skipped"
    assert not (tmp_path / "data").exists()


def test_lines_for_a_person_say_what_was_found_and_what_to_do(run: Run, tmp_path: Path) -> None:
    contract = a_contract(tmp_path, '[memory]\nat_least = "9 EiB"\n')
    done = run("doctor", "--contract", contract, FACEFLEET_ENGINE__CACHE=str(tmp_path / "empty"))
    assert done.status == 3
    assert re.search(r"^broken +memory +[\d.]+ [KMGT]iB", done.out, re.MULTILINE)
    assert "contract: memory.at_least = 9.0 EiB" in done.out
    assert "→ Give it more memory" in done.out
    assert re.search(r"^warning +models +not fetched: face_detection_full_range", done.out, re.MULTILINE)
    assert re.search(r"^\d+ ok, .*1 broken", done.out, re.MULTILINE)
    assert not (tmp_path / "empty").exists()


@pytest.mark.needs_server
def test_real_servers_pass_the_contract_and_no_secret_is_shown(
    run: Run, tmp_path: Path, valkey: ValkeyServer, postgres: PostgresServer, seaweed: SeaweedServer
) -> None:
    contract = a_contract(tmp_path, '[servers]\nbroker = "strict"\nrecords = "strict"\nstore = "strict"\n')
    done = run(
        "doctor", "--json", "--contract", contract,
        FACEFLEET_QUEUE__URL=valkey.url, FACEFLEET_RECORDS__URL=postgres.new_records(),
        FACEFLEET_OBJECTS__URL=f"s3://{seaweed.BUCKET}/doctor", FACEFLEET_OBJECTS__ENDPOINT=seaweed.endpoint,
        FACEFLEET_OBJECTS__ACCESS_KEY=seaweed.ACCESS_KEY, FACEFLEET_OBJECTS__SECRET_KEY=seaweed.SECRET_KEY,
    )  # fmt: skip
    found = by_name(done.document)
    assert done.status == 0, done.out
    servers = {name for name, check in found.items() if check["line"].startswith("servers.")}
    assert servers == {
        "broker", "broker.eviction", "broker.durability", "broker.clock",
        "records", "records.schema", "records.clock", "store", "store.versions", "store.clock",
    }  # fmt: skip
    assert {found[name]["state"] for name in servers} == {"ok"}
    assert found["data folder"]["state"] == "skipped"
    for secret in (postgres.PASSWORD, seaweed.SECRET_KEY, seaweed.ACCESS_KEY):
        assert secret not in done.out + done.err


def test_servers_that_are_away_are_broken_and_break_the_contract_that_wants_them(
    run: Run, tmp_path: Path, nowhere: dict[str, str]
) -> None:
    without = run("doctor", "--json", **nowhere)
    assert without.status == 1
    contract = a_contract(tmp_path, '[servers]\nbroker = "required"\nrecords = "required"\nstore = "required"\n')
    done = run("doctor", "--json", "--contract", contract, **nowhere)
    assert done.status == 3
    found = by_name(done.document)
    for name in ("broker", "records", "store"):
        assert (found[name]["state"], found[name]["line"], found[name]["wanted"]) == (
            "broken", f"servers.{name}", "required",
        )  # fmt: skip
        assert "FACEFLEET_" in found[name]["advice"]
    optional = contract.read_text().replace("required", "optional")
    ignored = run("doctor", "--json", "--contract", a_contract(tmp_path, optional), **nowhere)
    assert ignored.status == 0
    assert by_name(ignored.document)["broker"]["state"] == "warning"
    for ended in (without, done, ignored):
        assert "open-sesame" not in ended.out + ended.err


@pytest.mark.needs_server
def test_a_server_that_hangs_does_not_hang_the_doctor(run: Run, tmp_path: Path, nowhere: dict[str, str]) -> None:
    with SeaweedServer(tmp_path / "seaweed") as seaweed, ValkeyServer(tmp_path / "valkey") as valkey:
        hung = nowhere | {"FACEFLEET_QUEUE__URL": valkey.url, "FACEFLEET_OBJECTS__ENDPOINT": seaweed.endpoint}
        assert valkey.pid is not None
        os.kill(valkey.pid, signal.SIGSTOP)
        seaweed.send(signal.SIGSTOP)
        began = time.monotonic()
        done = run("doctor", "--json", **hung)
        took = time.monotonic() - began
    found = by_name(done.document)
    assert found["broker"]["state"] == found["store"]["state"] == "broken"
    assert done.status == 1
    assert took < 45  # limits of 5 s, side by side, and an inference beside them on a busy machine


def test_settings_that_cannot_be_read_are_one_finding(run: Run) -> None:
    done = run("doctor", "--json", FACEFLEET_WORKER__THREADS="0")
    assert done.status == 1
    found = by_name(done.document)
    assert found["settings"]["state"] == "broken"
    assert found["python"]["state"] == "ok"
    assert "broker" not in found


def test_a_folder_that_cannot_be_written_is_broken(run: Run) -> None:
    done = run("doctor", "--json", FACEFLEET_DATA="/proc/facefleet")
    assert done.status == 1
    folder = by_name(done.document)["data folder"]
    assert folder["state"] == "broken"
    assert "FACEFLEET_DATA" in folder["advice"]


def test_a_package_that_cannot_be_imported_is_broken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    done = run("doctor", "--json", PYTHONPATH=str(tmp_path / "broken"))
    assert done.status == 1
    found = by_name(done.document)
    for name in ("packages.engine", "models"):
        assert found[name]["state"] == "broken"
        assert "libGL.so.1" in found[name]["found"]


def test_a_contract_that_cannot_be_used_is_an_error_and_not_a_broken_line(run: Run, tmp_path: Path) -> None:
    done = run("doctor", "--json", "--contract", a_contract(tmp_path, "[memory]\nat_lest = 1\n"))
    assert (done.status, done.error["code"]) == (1, "config_invalid")
    assert "memory.at_lest" in done.error["message"]
    assert run("doctor", "--contract", tmp_path / "none.toml").status == 1


def only_the_gateway(tmp_path: Path) -> Path:
    """A folder of exactly the packages of the gateway's lock, by links to those that are installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    lock = (ROOT / "requirements" / "gateway.txt").read_text()
    for name in [*re.findall(r"^([\w.\[\]-]+)==", lock, re.MULTILINE), "facefleet"]:
        try:
            package = importlib.metadata.distribution(name.partition("[")[0])
        except importlib.metadata.PackageNotFoundError:  # of another platform
            continue
        for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            link = folder / top
            if not link.exists():
                link.symlink_to(Path(str(package.locate_file(top))))
    (folder / "facefleet").symlink_to(ROOT / "src" / "facefleet")
    return folder


@pytest.mark.parametrize("asked", ["", '[models]\ndigests = true\n[accelerator]\nprovider = "CPUExecutionProvider"\n'])
def test_where_only_the_gateway_is_installed_the_engine_is_skipped_unless_the_contract_wants_it(
    tmp_path: Path, environment: Mapping[str, str], asked: str
) -> None:
    site, contract = only_the_gateway(tmp_path), a_contract(tmp_path, asked)
    code = f"import sys; sys.path.append({str(site)!r}); from facefleet.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-I", "-S", "-c", code, "doctor", "--json", "--contract", str(contract)]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=60, check=False)
    found = by_name(json.loads(done.stdout))
    assert found["packages.gateway"]["state"] == found["packages.service"]["state"] == "ok"
    engine = found["packages.engine"]
    assert (engine["state"], engine["found"]) == ("skipped", "not installed")
    for name in ("models", "accelerator.provider"):
        assert found[name]["state"] == ("broken" if asked else "skipped")
        assert found[name]["found"].endswith("is not installed")
    assert "inference" not in found
    assert done.returncode == (3 if asked else 0), done.stdout
