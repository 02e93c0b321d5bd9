"""What the locks pin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
