"""Runs a small model on the execution provider that is wanted, and reads from the run's profile where it really ran.

``get_providers()`` alone does not show it: where a library is missing, ONNX Runtime falls back to the CPU in silence.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import build_and_package_info

from facefleet.doctor.contract import Accelerator
from facefleet.doctor.probe_model import EXPECTED, SIDE, probe_model
from facefleet.doctor.report import Finding, State, hold

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_FATAL = 4  # severity: what is logged below that comes as an exception, too
_NO_FALLBACK = "session.disable_cpu_ep_fallback"
_LIBRARY = re.compile(r"/(libcudart|libcudnn|libcublas|libnvinfer)\.so\.(\d+)")
_ADVICE = (
    "Install a build of ONNX Runtime for this provider (onnxruntime-gpu), with the CUDA and cuDNN that it was built "
    "for, and give the process the card."
)


def look(wanted: Accelerator) -> Iterator[Finding]:
    """The provider of the contract, or the best one that this build of ONNX Runtime has."""
    available = onnxruntime.get_available_providers()
    provider = wanted.provider or (CUDA if CUDA in available else CPU)
    finding, ran = _run(provider, available)
    if wanted.provider is not None:
        finding = hold(finding, "accelerator.provider", provider, kept=ran, advice=finding.advice or _ADVICE)
    yield finding
    yield _runtime(available)


def _runtime(available: list[str]) -> Finding:
    """Which build of ONNX Runtime this is, which CUDA it was built for, and which libraries it has loaded."""
    found = f"ONNX Runtime {onnxruntime.__version__}: {', '.join(available)}"
    if cuda := getattr(build_and_package_info, "cuda_version", ""):
        found += f"; built for CUDA {cuda}, has loaded {', '.join(_loaded()) or 'no library of it'}"
    return Finding("accelerator.runtime", State.OK, found)


def _loaded() -> list[str]:
    """The libraries of CUDA that this process has in its memory, each with its major version."""
    with suppress(OSError):
        maps = Path("/proc/self/maps").read_text()
        return sorted({f"{name}.so.{major}" for name, major in _LIBRARY.findall(maps)})
    return []


def _run(provider: str, available: list[str]) -> tuple[Finding, bool]:
    """What came of the model on this provider, and whether all of it ran there."""
    check = "accelerator.provider"
    if provider not in available:
        return Finding(check, State.WARNING, f"this ONNX Runtime has no {provider}", _ADVICE), False
    try:
        right, providers = run_probe(provider)
    except OSError as error:
        found = f"no folder for a profile: {error.strerror or 'none is writable'}"
        return Finding(check, State.BROKEN, found, "Mount a tmpfs at /tmp."), False
    except Exception as error:  # noqa: BLE001 - the runtime's errors have no common class of their own
        return Finding(check, State.WARNING, f"{provider} runs nothing: {_first_line(error)}", _ADVICE), False
    if not right:
        return Finding(check, State.BROKEN, f"{provider} computes wrong numbers", "Replace the device."), False
    ran = providers == {provider}
    found = f"the model ran on {', '.join(sorted(providers))}"
    return Finding(check, State.OK if ran else State.WARNING, found, "" if ran else _ADVICE), ran


def run_probe(provider: str) -> tuple[bool, set[str]]:
    """Run the small model once.

    Returns:
        Whether the numbers are right, and the providers that its nodes ran on.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.enable_profiling = True
    if provider == CPU:
        options.intra_op_num_threads = 1
    else:
        options.add_session_config_entry(_NO_FALLBACK, "1")
        onnxruntime.preload_dlls()
    with tempfile.TemporaryDirectory(prefix="facefleet-probe-") as folder:
        options.profile_file_prefix = str(Path(folder) / "run")
        session = onnxruntime.InferenceSession(probe_model(), options, providers=[provider])
        (found,) = session.run(None, {"x": np.ones((1, 1, SIDE, SIDE), np.float32)})
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes = (event["args"] for event in events if event.get("cat") == "Node")
    return bool(np.allclose(found[0, 0], EXPECTED, rtol=1e-2)), {
        node["provider"] for node in nodes if "provider" in node
    }


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
