"""The model runs, and the profile says where."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from facefleet.doctor import accelerator
from facefleet.doctor.contract import Accelerator
from facefleet.doctor.probe_model import EXPECTED, SIDE, probe_model
from facefleet.doctor.report import State


def test_the_probe_is_a_model_whose_numbers_are_known() -> None:
    session = onnxruntime.InferenceSession(probe_model(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.ones((1, 1, SIDE, SIDE), np.float32)})
    counted = np.array([[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]])
    assert np.array_equal(found[0, 0], counted @ counted)
    assert np.array_equal(found[0, 0], EXPECTED)


def test_the_provider_is_read_from_what_ran() -> None:
    assert accelerator.run_probe(accelerator.CPU) == (True, {accelerator.CPU})
    finding, runtime = accelerator.look(Accelerator(provider="CPUExecutionProvider"))
    assert (finding.state, finding.line) == (State.OK, "accelerator.provider")
    assert finding.found == "the model ran on CPUExecutionProvider"
    assert onnxruntime.__version__ in runtime.found


def test_a_provider_that_this_build_lacks_breaks_the_contract() -> None:
    finding, _ = accelerator.look(Accelerator(provider="TensorrtExecutionProvider"))
    assert (finding.state, finding.wanted) == (State.BROKEN, "TensorrtExecutionProvider")
    assert "onnxruntime-gpu" in finding.advice


def test_a_provider_that_is_there_and_runs_nothing_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """This build has one that takes no node, and by itself would leave all to the CPU without a word."""
    monkeypatch.setattr(accelerator, "CUDA", "AzureExecutionProvider")
    finding, _ = accelerator.look(Accelerator())
    assert finding.state is State.WARNING
    assert "runs nothing" in finding.found
    assert finding.advice


def test_wrong_numbers_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "EXPECTED", EXPECTED[1:] + EXPECTED[:1])
    finding, _ = accelerator.look(Accelerator(provider="CPUExecutionProvider"))
    assert (finding.state, finding.line) == (State.BROKEN, "accelerator.provider")
    assert "wrong numbers" in finding.found


def test_no_folder_for_the_profile_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    finding, _ = accelerator.look(Accelerator())
    assert finding.state is State.BROKEN
    assert "tmpfs" in finding.advice
