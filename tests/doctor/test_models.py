"""The digests of models, and the inference that runs when all are whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facefleet import config
from facefleet.config import Engine, Settings
from facefleet.doctor import models
from facefleet.doctor.contract import Models
from facefleet.doctor.report import State


@pytest.mark.usefixtures("models")
def test_whole_models_run() -> None:
    digests, inference = models.look(config.load(), Models(digests=True))
    assert (digests.state, digests.line) == (State.OK, "models.digests")
    assert "open_nsfw" in digests.found
    assert inference.state is State.OK


def test_models_that_are_missing_are_a_warning_and_break_a_contract_that_wants_them(tmp_path: Path) -> None:
    settings = Settings(engine=Engine(cache=tmp_path / "none"))
    digests, inference = models.look(settings, Models())
    assert (digests.state, inference.state) == (State.WARNING, State.SKIPPED)
    assert "models pull" in digests.advice
    digests, _ = models.look(settings, Models(digests=True))
    assert (digests.state, digests.line) == (State.BROKEN, "models.digests")
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("models")
def test_a_damaged_model_is_broken_and_stays_where_it_is(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(config.load().engine.cache / "models", cache / "models")
    (weights,) = (cache / "models").rglob("face_landmark.tflite")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    digests, inference = models.look(Settings(engine=Engine(cache=cache)), Models(digests=True))
    assert (digests.state, digests.found) == (State.BROKEN, "damaged: face_landmark")
    assert inference.state is State.SKIPPED
    assert weights.exists()
