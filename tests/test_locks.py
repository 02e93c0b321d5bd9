"""What the locks pin."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from tools import audit_locks

LOCKS = Path(__file__).parents[1] / "requirements"


def pinned(lock: str) -> list[str]:
    return re.findall(r"^([a-z0-9._-]+)(?:\[.*\])?==", (LOCKS / f"{lock}.txt").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("lock", ["all", "dev", "worker"])
def test_what_runs_the_engine_has_exactly_one_onnx_runtime(lock: str) -> None:
    assert [name for name in pinned(lock) if name.startswith("onnxruntime")] == ["onnxruntime"]


@pytest.mark.parametrize("heavy", ["onnxruntime", "numpy", "ai-edge-litert", "opencv-python-headless"])
def test_the_gateway_has_no_inference_runtime(heavy: str) -> None:
    assert heavy not in pinned("gateway")
    assert "fastapi" in pinned("gateway")


@pytest.mark.parametrize("lock", ["all", "dev", "worker"])
def test_the_onnx_runtime_is_one_that_sends_nothing_to_its_maker(lock: str) -> None:
    """From 1.29 on its builds for Linux do, unless the environment says otherwise when it is imported."""
    (version,) = re.findall(r"^onnxruntime==(\d+)\.(\d+)", (LOCKS / f"{lock}.txt").read_text("utf-8"), re.MULTILINE)
    assert tuple(int(part) for part in version) < (1, 29)


HASH = f"--hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "line",
    [
        "pillow>=11", "pillow==11.*", "pillow", f"pillow @ https://example.org/pillow.whl {HASH}", "-e .",
        "pillow==12.0", "--index-url mirror", "pillow==12.0 --hash=md5:0",
        f"pillow==12.0 {HASH[:-1]}",
    ],
)  # fmt: skip
def test_a_line_that_does_not_pin_one_file_by_its_hash_is_told(line: str) -> None:
    pins, wrong = audit_locks.read_lock("all", line)
    assert (pins, len(wrong)) == ([], 1)


def test_locks_that_disagree_are_told() -> None:
    pins = [audit_locks.Pin("all", "numpy", "2.4"), audit_locks.Pin("dev", "numpy", "2.5")]
    assert list(audit_locks.disagreements(pins)) == ["numpy: 2.4 in all, 2.5 in dev"]
    both = [audit_locks.Pin(lock, "numpy", version) for lock in ("all", "dev") for version in ("2.4", "2.5")]
    assert list(audit_locks.disagreements(both)) == []


def test_a_refused_version_is_told_with_its_reason() -> None:
    refused, _ = audit_locks.read_list(tomllib.loads((LOCKS / "refused.toml").read_text("utf-8")))
    pins, wrong = audit_locks.read_lock("all", f"Celery[redis]==5.7.0 ; sys_platform == 'linux' \\\n    {HASH}\n")
    assert wrong == []
    (told,) = audit_locks.refusals(pins, refused)
    assert "celery 5.7.0 is refused: its worker" in told
    assert list(audit_locks.refusals([audit_locks.Pin("all", "celery", "5.6.3")], refused)) == []


def test_the_locks_themselves_pass() -> None:
    assert audit_locks.check(date(2026, 11, 28)) == 0
