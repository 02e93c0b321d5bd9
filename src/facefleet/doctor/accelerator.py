"""Has a small model run on the execution provider that is wanted, and reads where it really ran.

``get_providers()`` alone does not show it: where a library is missing, ONNX Runtime falls back to the CPU in silence.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
from onnxruntime.capi import build_and_package_info

from facefleet.doctor.contract import Accelerator
from facefleet.doctor.cuda import Driver
from facefleet.doctor.probe_model import EXPECTED
from facefleet.doctor.probe_run import CPU
from facefleet.doctor.ranges import contains
from facefleet.doctor.report import Finding, State, hold

CUDA = "CUDAExecutionProvider"
_PROBE_SECONDS = 50.0  # a first run on a card loads 2 GB of libraries
_TOLERANCE = 1e-2  # relative; a card may compute in tf32
_MISSING = re.compile(r"Failed to load library .+ with error: (.+)")
_ADVICE = (
    "Install a build of ONNX Runtime for this provider (onnxruntime-gpu), with the CUDA and cuDNN that it was built "
    "for, and give the process the card."
)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of the model.

    Attributes:
        error: Why nothing came of it; empty where it ran.
        right: Whether its numbers are.
        providers: Where its nodes ran.
        libraries: Of CUDA, that were loaded for it.
    """

    error: str
    right: bool = False
    providers: Sequence[str] = ()
    libraries: Sequence[str] = ()


def look(wanted: Accelerator, driver: Driver | None) -> Iterator[Finding]:
    """The provider of the contract, or the best one that this build of ONNX Runtime has.

    Args:
        wanted: By the contract.
        driver: Of the cards; none where there is none.
    """
    available = onnxruntime.get_available_providers()
    provider = wanted.provider or (CUDA if CUDA in available else CPU)
    ran = run_probe(provider) if provider in available else Ran("this ONNX Runtime does not have it")
    finding, kept = judge(provider, ran), not ran.error and ran.right and list(ran.providers) == [provider]
    if wanted.provider is not None:
        finding = hold(finding, "accelerator.provider", provider, kept=kept, advice=finding.advice)
    yield finding
    yield runtime(available, ran, getattr(build_and_package_info, "cuda_version", ""), driver)


def judge(provider: str, ran: Ran) -> Finding:
    """What came of the model on this provider; without a contract it may run elsewhere, at the speed of there."""
    check = "accelerator.provider"
    if ran.error:
        return Finding(check, State.WARNING, f"{provider} runs nothing: {ran.error}", _ADVICE)
    if not ran.right:
        return Finding(check, State.BROKEN, f"{provider} computes wrong numbers", "Do not use this device.")
    found = f"the model ran on {', '.join(ran.providers)}"
    if list(ran.providers) != [provider]:
        return Finding(check, State.WARNING, f"{found}, not on {provider} alone", _ADVICE)
    return Finding(check, State.OK, found)


def runtime(available: Sequence[str], ran: Ran, cuda: str, driver: Driver | None) -> Finding:
    """Which build of ONNX Runtime this is, which CUDA it was built for, and which libraries it has loaded.

    Args:
        available: Providers of the build.
        ran: What came of the model.
        cuda: Version that the build is for; empty where it is for none.
        driver: It runs every CUDA of its own major version, and older ones.
    """
    check, found = "accelerator.runtime", f"ONNX Runtime {onnxruntime.__version__}: {', '.join(available)}"
    if not cuda:
        return Finding(check, State.OK, found)
    found += f"; built for CUDA {cuda}, has loaded {', '.join(ran.libraries) or 'no library of it'}"
    if driver is not None and driver.cuda and not contains(f">={cuda.partition('.')[0]}", driver.cuda):
        found += f"; the driver runs CUDA up to {driver.cuda}"
        return Finding(check, State.WARNING, found, "Install a newer driver, or a build for an older CUDA.")
    return Finding(check, State.OK, found)


def run_probe(provider: str) -> Ran:
    """Run the small model once, in a process of its own."""
    try:
        with tempfile.TemporaryDirectory(prefix="facefleet-probe-") as folder:
            command = [sys.executable, "-P", "-m", "facefleet.doctor.probe_run", provider, folder]
            done = subprocess.run(command, capture_output=True, timeout=_PROBE_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return Ran(f"no result within {_PROBE_SECONDS:g} s")
    except OSError as error:
        return Ran(f"no folder for temporary files ({error.strerror}); mount a tmpfs at /tmp")
    return _outcome(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def _outcome(status: int, output: bytes, log: str) -> Ran:
    if status < 0:
        return Ran(f"it crashed with {signal.Signals(-status).name}")
    if status > 0:
        return Ran(f"the program of the probe ended with status {status}")
    document = json.loads(output)
    if "error" in document:
        missing = _MISSING.search(log)  # the runtime only logs it, and then says that nothing may run on the CPU
        return Ran(missing[1] if missing else document["error"])
    right = bool(np.allclose(document["numbers"], EXPECTED, rtol=_TOLERANCE))
    return Ran("", right, document["providers"], document["libraries"])
