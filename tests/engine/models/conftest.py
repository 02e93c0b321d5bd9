"""Real sources on this machine: a wheel that pip serves from a folder, and a web server on the loopback."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

WEIGHTS = b"weights " * 4096
LABELS = b"labels\n"


@dataclass
class Shelf:
    """A folder that pip takes packages from, and nowhere else."""

    folder: Path

    def add(self, name: str, version: str, files: dict[str, bytes]) -> Path:
        """A wheel without code."""
        info = f"{name}-{version}.dist-info"
        wheel = self.folder / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, data in files.items():
                archive.writestr(path, data)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return wheel


@dataclass
class Web:
    """A server that remembers what it was asked for.

    Attributes:
        url: Its root.
        files: What it has.
        asked: Paths in the order of the requests.
        hold: Send half of a file, then wait for this to be set.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    half_sent: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """pip sees this folder only."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return Shelf(folder)


@pytest.fixture
def web() -> Iterator[Web]:
    """A server on a free loopback port."""
    state = Web()
    state.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            data = state.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            state.half_sent.set()
            state.hold.wait(30)
            self.wfile.write(data[len(data) // 2 :])

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up is part of some tests."""

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield state
    state.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    """Writes an operator's manifest of one model, ``tiny``; every value can be replaced."""

    def write(source: str, data: bytes = WEIGHTS, more: str = "", **changes: object) -> Path:
        values: dict[str, object] = {
            "version": "1.0",
            "kind": "toy",
            "runtime": "none",
            "licence": "MIT",
            "commercial": "yes",
            "notes": "A toy.",
        }
        files = {"name": "tiny.bin", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "source": source}
        for key, value in changes.items():
            (files if key in files else values)[key] = value
        lines = ["[models.tiny]", *(_line(k, v) for k, v in values.items() if v is not None)]
        lines += ["[[models.tiny.files]]", *(_line(k, v) for k, v in files.items() if v is not None)]
        path = tmp_path / "manifest.toml"
        path.write_text("\n".join([*lines, more]), encoding="utf-8")
        return path

    return write


def _line(key: str, value: object) -> str:
    return f"{key} = {str(value).lower() if isinstance(value, bool | int) else repr(value)}"
