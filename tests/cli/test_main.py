"""Where errors meet the terminal: codes, statuses, one JSON document, no traceback."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from .conftest import SCRIPT, Run


def test_help_names_every_command_and_imports_nothing_heavy(run: Run) -> None:
    done = run("--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.status == 0
    assert {"fuse", "faces", "samples", "models", "doctor", "config"} <= set(done.out.split())
    heavy = {"cv2", "numpy", "pydantic", "httpx", "ai_edge_litert", "fastapi", "celery", "sqlalchemy"}
    imported = {line.rpartition("|")[2].strip() for line in done.err.splitlines()}
    assert not heavy & imported


def test_no_command_shows_the_help(run: Run) -> None:
    for arguments in ([], ["models"]):
        done = run(*arguments)
        assert done.status == 0
        assert "Commands" in done.out


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").out.startswith("facefleet 0.")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nope"], "request_invalid"),
        (["models", "nope"], "request_invalid"),
        (["fuse", "a.jpg"], "request_invalid"),
        (["faces"], "request_invalid"),
        (["faces", "a.jpg", "--colour"], "option_invalid"),
        (["fuse", "a.jpg", "b.jpg", "-o", "c.jpg", "--strength", "much"], "option_invalid"),
        (["fuse", "a.jpg", "b.jpg", "-o", "c.jpg", "--strength", "1.1"], "option_invalid"),
        (["fuse", "a.jpg", "b.jpg", "-o", "c.jpg", "--strength", "nan"], "option_invalid"),
        (["fuse", "a.jpg", "b.jpg", "-o", "c.jpg", "--shape", "-0.1"], "option_invalid"),
        (["fuse", "a.jpg", "b.jpg", "-o", "c.jpg", "--source-face", "-1"], "option_invalid"),
        (["fuse", "a.jpg", "b.jpg", "-o", "c.jpg", "--target-face", "every"], "option_invalid"),
        (["list", "--url", "notaurl"], "option_invalid"),
        (["get", "t-1", "--url", "http://"], "option_invalid"),
        (["batches", "list", "--url", "ftp://127.0.0.1"], "option_invalid"),
    ],
)
def test_a_wrong_command_line_ends_with_status_2(run: Run, arguments: list[str], code: str) -> None:
    done = run(*arguments, "--json")
    assert done.status == 2
    assert done.error["code"] == code
    assert done.err == ""
    plain = run(*arguments)
    assert plain.status == 2
    assert plain.out == ""
    assert plain.err.startswith("error: ")
    assert plain.err.endswith(f"[{code}]\n")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["submit", "a.jpg", "--template"], "facefleet submit"),
        (["templates", "add", "a.jpg", "--timeout"], "facefleet templates add"),
        (["submit", "a.jpg", "--nope"], "facefleet submit"),
        (["--version=1"], "facefleet"),
    ],
    ids=str,
)
def test_a_wrong_command_line_names_the_help_of_its_command(run: Run, arguments: list[str], command: str) -> None:
    assert f"See `{command} --help`." in run(*arguments).err


def test_a_setting_that_cannot_be_used_is_named(run: Run) -> None:
    done = run("config", "--json", FACEFLEET_IMAGES__MAX_SIDE="tall")
    assert done.status == 1
    assert done.error["code"] == "config_invalid"
    assert "images.max_side" in done.error["message"]


def test_a_manifest_that_cannot_be_used_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[models.x]\nversion = 1\n")
    done = run("models", "list", "--json", FACEFLEET_ENGINE__MANIFEST=str(tmp_path / "own.toml"))
    assert done.status == 1
    assert done.error["code"] == "manifest_invalid"
    assert done.error["detail"]["entry"] == "models.x"


def broken(tmp_path: Path, text: str) -> str:
    """A folder for PYTHONPATH in which cv2 does something else."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "cv2.py").write_text(text)
    return str(tmp_path / "broken")


def test_an_unexpected_error_is_internal_and_shows_no_traceback(run: Run, tmp_path: Path) -> None:
    path = broken(tmp_path, "raise RuntimeError('boom')")
    done = run("faces", "a.jpg", "--json", PYTHONPATH=path)
    assert done.status == 1
    assert done.error == {"code": "internal", "message": "RuntimeError: boom", "detail": {"type": "RuntimeError"}}
    assert done.err == ""
    plain = run("faces", "a.jpg", PYTHONPATH=path)
    assert plain.err == "error: RuntimeError: boom [internal]\n"


def test_an_unexpected_error_is_logged_for_whoever_debugs(run: Run, tmp_path: Path) -> None:
    path = broken(tmp_path, "raise RuntimeError('boom')")
    done = run("faces", "a.jpg", "--json", PYTHONPATH=path, FACEFLEET_LOGS__LEVEL="debug")
    assert done.error["code"] == "internal"
    assert "cv2.py" in done.err
    assert "boom" in done.err


def test_a_package_that_is_not_installed_is_named_with_the_command_that_installs_it(run: Run, tmp_path: Path) -> None:
    path = broken(tmp_path, "raise ModuleNotFoundError('No module named cv2', name='cv2')")
    done = run("faces", "a.jpg", PYTHONPATH=path)
    assert done.status == 1
    assert "needs cv2" in done.err
    assert "pip install" in done.err


@pytest.mark.parametrize("arguments", [["config", "--json"], ["models", "list"], ["nope", "--json"]])
def test_a_reader_that_hangs_up_gets_no_complaint(environment: Mapping[str, str], arguments: list[str]) -> None:
    command = [SCRIPT, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)
    assert err == b""


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["plain", "json"])
def test_ctrl_c_ends_with_130_and_no_traceback(
    environment: Mapping[str, str], tmp_path: Path, flags: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/tiny.bin"
        (tmp_path / "own.toml").write_text(
            '[models.tiny]\nversion = "1"\nkind = "toy"\nruntime = "none"\nlicence = "MIT"\ncommercial = "yes"\n'
            f'notes = "A toy."\n[[models.tiny.files]]\nname = "t"\nsha256 = "{"0" * 64}"\nsize = 1\nsource = "{url}"\n'
        )
        settings = {"FACEFLEET_ENGINE__MANIFEST": "own.toml", "FACEFLEET_ENGINE__CACHE": "cache"}
        process = subprocess.Popen(
            [SCRIPT, "models", "pull", "tiny", *flags],
            cwd=tmp_path, env={**environment, **settings},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        silent.settimeout(30)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = process.communicate(timeout=20)
        connection.close()
    assert process.returncode == 130
    assert time.monotonic() - began < 5
    assert err == ""
    if flags:
        assert json.loads(out) == {"error": {"code": "interrupted", "message": "Stopped by Ctrl-C.", "detail": {}}}
    else:
        assert out == ""


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1"])
def test_to_wait_for_no_time_at_all_or_for_ever_is_refused(run: Run, seconds: str) -> None:
    done = run("submit", "a.jpg", "b.jpg", "-o", "c.jpg", "--timeout", seconds, "--json")
    assert (done.status, done.error["code"], done.error["detail"]) == (2, "option_invalid", {"option": "timeout"})
