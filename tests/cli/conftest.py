"""The real console script in its own process, with an environment that holds no setting of the tester's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def run(tmp_path: Path, environment: Mapping[str, str]) -> Run:
    """Run the script in the test's folder."""

    def call(*arguments: str | Path, **settings: str) -> Ended:
        done = subprocess.run(
            [SCRIPT, *map(str, arguments)],
            cwd=tmp_path,
            env={**environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stdout
        return Ended(done.returncode, done.stdout, done.stderr)

    return call
