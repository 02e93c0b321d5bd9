"""Runs the probe model on one execution provider: a program of its own, since a GPU's libraries print, hang and crash.

    python -m facefleet.doctor.probe_run PROVIDER FOLDER

It writes one JSON document on stdout: ``numbers`` (4 × 4, the result), ``providers`` (where its nodes ran, by the
profile of the run) and ``libraries`` (of CUDA, loaded by then); or ``error``, a line. All other output goes to stderr.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from facefleet.doctor.probe_model import SIDE, probe_model

CPU = "CPUExecutionProvider"
_FATAL = 4  # severity: what is logged below that comes as an exception, too
_NO_FALLBACK = "session.disable_cpu_ep_fallback"
_LIBRARY = re.compile(r"/(libcudart|libcudnn|libcublas|libnvinfer)\.so\.(\d+)")


def run(provider: str, folder: Path) -> dict[str, Any]:
    """What came of the model.

    Args:
        provider: By ONNX Runtime's name; nothing may run elsewhere.
        folder: Of the profile.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "run")
    if provider == CPU:
        options.intra_op_num_threads = 1
    else:
        options.add_session_config_entry(_NO_FALLBACK, "1")
        onnxruntime.preload_dlls()
    session = onnxruntime.InferenceSession(probe_model(), options, providers=[provider], enable_fallback=0)
    (found,) = session.run(None, {"x": np.ones((1, 1, SIDE, SIDE), np.float32)})
    events = json.loads(Path(session.end_profiling()).read_text())
    nodes = (event["args"] for event in events if event.get("cat") == "Node")
    providers = sorted({node["provider"] for node in nodes if "provider" in node})
    return {"numbers": found[0, 0].tolist(), "providers": providers, "libraries": _libraries()}


def _libraries() -> list[str]:
    """The libraries of CUDA that this process has in its memory, each with its major version."""
    with suppress(OSError):
        maps = Path("/proc/self/maps").read_text()
        return sorted({f"{name}.so.{major}" for name, major in _LIBRARY.findall(maps)})
    return []


def main() -> None:
    """Write the document; an error is a part of it."""
    answer = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        document = run(sys.argv[1], Path(sys.argv[2]))
    except Exception as error:  # noqa: BLE001 - the runtime's errors have no common class of their own
        document = {"error": (str(error).splitlines() or [type(error).__name__])[0]}
    with os.fdopen(answer, "w") as stream:
        stream.write(json.dumps(document))


if __name__ == "__main__":
    main()
