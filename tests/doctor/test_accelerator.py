"""The model runs, and the profile says where."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from facefleet.doctor import accelerator
from facefleet.doctor.accelerator import Ran
from facefleet.doctor.contract import Accelerator
from facefleet.doctor.cuda import Driver
from facefleet.doctor.probe_model import EXPECTED, SIDE, probe_model
from facefleet.doctor.probe_run import CPU
from facefleet.doctor.report import State


def test_the_probe_is_a_model_whose_numbers_are_known() -> None:
    session = onnxruntime.InferenceSession(probe_model(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.ones((1, 1, SIDE, SIDE), np.float32)})
    counted = np.array([[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]])
    assert np.array_equal(found[0, 0], counted @ counted)
    assert np.array_equal(found[0, 0], EXPECTED)


def test_the_provider_is_read_from_what_ran() -> None:
    assert accelerator.run_probe(CPU) == Ran("", True, [CPU], [])
    finding, runtime = accelerator.look(Accelerator(provider=CPU), None)
    assert (finding.state, finding.line) == (State.OK, "accelerator.provider")
    assert finding.found == "the model ran on CPUExecutionProvider"
    assert onnxruntime.__version__ in runtime.found


def test_a_provider_that_this_build_lacks_breaks_the_contract() -> None:
    finding, _ = accelerator.look(Accelerator(provider="TensorrtExecutionProvider"), None)
    assert (finding.state, finding.wanted) == (State.BROKEN, "TensorrtExecutionProvider")
    assert "onnxruntime-gpu" in finding.advice


def test_a_provider_that_is_there_and_takes_nothing_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """This build has one that takes no node; by itself the runtime would leave all to the CPU without a word."""
    assert onnxruntime.InferenceSession(probe_model(), providers=["AzureExecutionProvider", CPU])
    monkeypatch.setattr(accelerator, "CUDA", "AzureExecutionProvider")
    finding, _ = accelerator.look(Accelerator(), None)
    assert finding.state is State.WARNING
    assert "AzureExecutionProvider runs nothing" in finding.found
    assert "fallback to CPU" in finding.found
    assert finding.advice


def test_a_run_that_was_partly_elsewhere_is_a_warning() -> None:
    found = accelerator.judge(accelerator.CUDA, Ran("", True, [CPU, accelerator.CUDA]))
    assert found.state is State.WARNING
    assert (
        found.found
        == "the model ran on CPUExecutionProvider, CUDAExecutionProvider, not on CUDAExecutionProvider alone"
    )


@pytest.mark.parametrize(
    ("newest", "state"), [("13.0", State.OK), ("13.1", State.OK), ("14.0", State.OK), ("12.9", State.WARNING)]
)
def test_a_driver_that_is_too_old_for_the_build_is_a_warning(newest: str, state: State) -> None:
    ran, driver = Ran("", True, [accelerator.CUDA], ["libcudart.so.13"]), Driver("580.95.05", (), newest)
    found = accelerator.runtime([accelerator.CUDA, CPU], ran, "13.1", driver)
    assert found.state is state
    assert "built for CUDA 13.1, has loaded libcudart.so.13" in found.found
    assert ("the driver runs CUDA up to 12.9" in found.found) is (state is State.WARNING)
    assert accelerator.runtime([CPU], ran, "", driver).state is State.OK


def test_wrong_numbers_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "EXPECTED", EXPECTED[1:] + EXPECTED[:1])
    finding, _ = accelerator.look(Accelerator(provider=CPU), None)
    assert (finding.state, finding.line) == (State.BROKEN, "accelerator.provider")
    assert "wrong numbers" in finding.found
    assert next(accelerator.look(Accelerator(), None)).state is State.BROKEN


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed with SIGSEGV"),
        ("import sys; sys.exit(7)", "status 7"),
        ("import time; time.sleep(60)", "no result within"),
        ("""print("{\\"error\\": \\"no card\\"}")""", "no card"),
        (
            """import sys; print("{\\"error\\": \\"no fallback\\"}"); """
            """print("FAIL : Failed to load library /x.so with error: libcudart.so.13: gone", file=sys.stderr)""",
            "libcudart.so.13: gone",
        ),
    ],
)
def test_a_library_that_crashes_hangs_or_refuses_does_it_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, why: str
) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{program}'\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setattr(accelerator, "_PROBE_SECONDS", 2.0)
    ran = accelerator.run_probe(accelerator.CUDA)
    assert why in ran.error
    assert accelerator.judge(accelerator.CUDA, ran).state is State.WARNING


def test_what_the_libraries_print_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    code = (
        "import sys, os; from facefleet.doctor import probe_run; "
        "probe_run.run = lambda *_: print('EP Error') or os.write(1, b'noise') and {'error': 'none'}; probe_run.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, "x", "y"], capture_output=True, text=True, check=True)
    assert done.stdout == '{"error": "none"}'
    assert "noise" in done.stderr


def test_no_folder_for_the_profile_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    finding, _ = accelerator.look(Accelerator(), None)
    assert finding.state is State.WARNING
    assert "mount a tmpfs at /tmp" in finding.found
