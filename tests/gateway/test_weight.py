"""The gateway starts light."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("cv2", "numpy", "ai_edge_litert", "onnxruntime", "facefleet.engine")


def test_importing_the_gateway_loads_no_engine() -> None:
    code = f"import sys, facefleet.gateway.app; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_importing_the_worker_loads_no_web_framework() -> None:
    code = (
        "import sys, facefleet.worker.main; print([m for m in ('fastapi', 'starlette', 'uvicorn') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
