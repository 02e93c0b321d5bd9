"""The guides for applications, followed literally: each block in its order, against the server that they start.

One thing differs: the port, since 8080 may be somebody's.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.docs.pages import Block, blocks
from tests.servers import free_port, missing, wait_until

from facefleet.media.sniff import sniff
from facefleet.safety.marking import read_mark

pytestmark = pytest.mark.needs_server

TRACES = "guides/traces.md"
QUICK_START, PYTHON_CLIENT = "guides/quick-start.md", "guides/python-client.md"
CAMPAIGN = "guides/templates-and-batches.md"
NAMES = {"python": "fuse.py", "javascript": "fuse.mjs"}


@dataclass(frozen=True)
class Reader:
    """Somebody who follows a guide in a folder."""

    folder: Path
    port: int
    environment: Mapping[str, str]

    def text(self, block: Block) -> str:
        return block.text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")

    def follow(self, block: Block) -> str:
        """Do what a block says; it must succeed."""
        if block.language == "console":
            return self.run("bash", "-euo", "pipefail", "-c", self.text(block))
        path = self.folder / NAMES[block.language]
        path.write_text(self.text(block))
        if block.language == "javascript":
            return self.run(node(), str(path))
        return self.run(sys.executable, str(path))

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def node() -> str:
    found = shutil.which("node")
    return found if found is not None else missing("there is no Node to run the JavaScript of the guide with")


def starts_server(block: Block) -> bool:
    return block.text.startswith("facefleet up ")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody who has followed the quick start up to the running server."""
    folder, port = tmp_path_factory.mktemp("quick-start"), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACEFLEET_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "FACEFLEET_GATEWAY__PORT": str(port), "FACEFLEET_CLIENT__URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    found = Reader(folder, port, environment)
    before, up = until_server()
    for block in before:
        found.follow(block)
    with serving(found, up.text):
        yield found


@contextmanager
def serving(reader: Reader, command: str) -> Iterator[None]:
    """The server that a guide starts in a terminal of its own."""
    with (reader.folder / "up.log").open("wb") as log:
        server = subprocess.Popen(
            command.split(), cwd=reader.folder, env=reader.environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert server.stdout is not None
    try:
        said = server.stdout.readline()
        assert f"ready at http://127.0.0.1:{reader.port}" in said, (reader.folder / "up.log").read_text()
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        server.stdout.close()
    assert server.returncode == 0


def until_server() -> tuple[list[Block], Block]:
    found = blocks(QUICK_START)
    number = next(n for n, block in enumerate(found) if starts_server(block))
    return found[:number], found[number]


def after_server() -> list[Block]:
    found = blocks(QUICK_START)
    return found[len(until_server()[0]) + 1 :]


@pytest.mark.parametrize("block", after_server(), ids=lambda block: block.text.split()[0])
def test_each_block_of_the_quick_start_does_what_it_says(reader: Reader, block: Block) -> None:
    before = {path.name for path in reader.folder.iterdir()}
    reader.follow(block)
    target = sniff((reader.folder / "photos" / "grace_hopper.jpg").read_bytes())
    made = [path for path in reader.folder.glob("fused-by-*.jpg") if path.name not in before]
    assert len(made) == 1
    fused = made[0].read_bytes()
    assert (sniff(fused).type, sniff(fused).width) == (target.type, target.width)
    assert read_mark(fused) is not None


def test_the_page_about_the_client_is_a_program_that_works(reader: Reader) -> None:
    program = "\n".join(block.text for block in blocks(PYTHON_CLIENT) if block.language == "python")
    said = reader.follow(Block("python", program))
    assert "succeeded 1.0" in said
    assert "result_unavailable" in said
    assert "410" in said
    assert "give up" not in said
    assert len([path for path in reader.folder.glob("*.jpg") if len(path.stem) == 36]) == 2


def test_the_page_about_campaigns_does_what_it_says(reader: Reader) -> None:
    for block in blocks(CAMPAIGN):
        reader.follow(block)
    target = sniff((reader.folder / "photos" / "grace_hopper.jpg").read_bytes())
    fused = [reader.folder / name for name in ("fused-by-batch/anna.jpg", "fused-by-batch/ben.jpg")]
    for path in (*fused, reader.folder / "fused-into-template.jpg"):
        assert (sniff(path.read_bytes()).type, sniff(path.read_bytes()).width) == (target.type, target.width)
        assert read_mark(path.read_bytes()) is not None
    for name in ("results-by-python.zip", "results-by-curl.zip"):
        with ZipFile(reader.folder / name) as results:
            assert results.namelist() == ["0000.jpg", "0001.jpg", "results.json"]
    assert reader.run("facefleet", "templates", "list", "--json").split() == ["{", '"templates":', "[]", "}"]


def test_the_receiver_of_the_page_about_traces_prints_the_spans_of_a_fusion(reader: Reader, tmp_path: Path) -> None:
    port, collecting, told = free_port(), str(free_port()), tmp_path / "told"
    console, program = (
        next(block.text for block in blocks(TRACES) if block.language == language).replace("4318", collecting)
        for language in ("console", "python")
    )
    (tmp_path / "receive.py").write_text(program)
    export, up = console.splitlines()
    name, value = export.removeprefix("export ").split("=")
    own = {"GATEWAY__PORT": str(port), "CLIENT__URL": f"http://127.0.0.1:{port}", "DATA": str(tmp_path / "data")}
    environment = {**reader.environment, name: value, **{f"FACEFLEET_{setting}": text for setting, text in own.items()}}
    other = Reader(tmp_path, port, environment)
    photos = [str(reader.folder / "photos" / photo) for photo in ("astronaut.png", "grace_hopper.jpg")]
    with told.open("wb") as out:
        receiver = subprocess.Popen([sys.executable, "-I", str(tmp_path / "receive.py")], stdout=out, stderr=out)
    try:
        with serving(other, up):
            other.run("facefleet", "submit", *photos, "-o", "fused.jpg")
            for span in (" task.handle ", " POST /v1/fuse "):
                wait_until(lambda span=span: span in told.read_text(), f"{span} has come", 30)  # type: ignore[misc]
    finally:
        receiver.terminate()
        receiver.wait(10)
    lines = told.read_text().splitlines()
    handled = next(line for line in lines if " facefleet-worker task.handle " in line)
    accepted = next(line for line in lines if " facefleet-gateway POST /v1/fuse" in line)
    assert handled.split()[2] == accepted.split()[2], "both are of one trace"
    assert "outcome=succeeded" in handled
    assert any(" facefleet-worker engine.decode" in line for line in lines)
    shape = re.compile(r" *\d+\.\d ms  [0-9a-f]{32} ([0-9a-f]{16}|- {15}) [0-9a-f]{16} facefleet-(gateway|worker) ")
    assert [line for line in lines if not shape.match(line)] == []
