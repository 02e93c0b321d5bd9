"""The command line of the tool that builds images; what it builds is tried by `make image-test`."""

from __future__ import annotations

import pytest
from tools.images import TARGETS, USUAL, wanted_targets


def test_without_a_target_the_usual_ones_are_built() -> None:
    assert wanted_targets([]) == list(USUAL)
    assert wanted_targets(["worker-gpu"]) == ["worker-gpu"]
    assert wanted_targets(list(TARGETS)) == list(TARGETS)


def test_an_unknown_target_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        wanted_targets(["gateway", "worker"])
    assert ended.value.code == 2
    assert "there is no target worker; there are gateway, worker-cpu, worker-gpu" in capsys.readouterr().err
