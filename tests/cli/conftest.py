"""Every command in its own process, with an environment that holds no setting of the tester's.

Mostly that is a fork of one process that has imported everything; the console script itself runs in ``test_main.py``,
``test_streams.py`` and ``remote/test_batch.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.forks import Template

SCRIPT = str(Path(sys.executable).parent / "facefleet")


@dataclass(frozen=True)
class Ended:
    """What a run left."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Stdout, which must be exactly one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error of a ``--json`` run."""
        return self.document["error"]


Run = Callable[..., Ended]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Ours without settings; the data folder is the test's, the cache the user's."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("FACEFLEET_")}
    return {**mine, "FACEFLEET_DATA": str(tmp_path / "data")}


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """Has imported everything; runs are its forks."""
    made = Template()
    yield made
    made.close()


@pytest.fixture
def run(tmp_path: Path, environment: Mapping[str, str], template: Template) -> Run:
    """Run a command in the test's folder; a variable for the interpreter itself gets the script in a new one."""

    def call(*arguments: str | Path, **settings: str) -> Ended:
        given, mine = [str(one) for one in arguments], {**environment, **settings}
        if any(name.startswith("PYTHON") for name in settings):
            done = subprocess.run(
                [SCRIPT, *given], cwd=tmp_path, env=mine, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        else:
            done = template.run(given, tmp_path, mine, seconds=60)
        assert "Traceback" not in done.stdout
        return Ended(done.returncode, done.stdout, done.stderr)

    return call
