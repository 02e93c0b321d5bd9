"""The digests of models, and the inference that runs when all are whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facefleet import config
from facefleet.config import Engine, Settings
from facefleet.doctor import models, paths
from facefleet.doctor.contract import Models
from facefleet.doctor.report import State


@pytest.mark.usefixtures("models")
def test_whole_models_run() -> None:
    digests, cache, inference = models.look(config.load(), Models(digests=True))
    assert (cache.check, cache.state) == ("model cache", State.OK)
    assert (digests.state, digests.line) == (State.OK, "models.digests")
    assert "open_nsfw" in digests.found
    assert inference.state is State.OK


def test_models_that_are_missing_are_a_warning_and_break_a_contract_that_wants_them(tmp_path: Path) -> None:
    settings = Settings(engine=Engine(cache=tmp_path / "none"))
    digests, cache, inference = models.look(settings, Models())
    assert (digests.state, inference.state) == (State.WARNING, State.SKIPPED)
    assert (cache.check, cache.state) == ("model cache", State.OK)
    assert "models pull" in digests.advice
    digests, *_ = models.look(settings, Models(digests=True))
    assert (digests.state, digests.line) == (State.BROKEN, "models.digests")
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("models")
def test_a_damaged_model_is_broken_and_stays_where_it_is(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(config.load().engine.cache / "models", cache / "models")
    (weights,) = (cache / "models").rglob("face_landmark.tflite")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    digests, _, inference = models.look(Settings(engine=Engine(cache=cache)), Models(digests=True))
    assert (digests.state, digests.found) == (State.BROKEN, "damaged: face_landmark")
    assert inference.state is State.SKIPPED
    assert weights.exists()


@pytest.mark.usefixtures("models")
def test_whole_models_in_a_folder_that_nothing_can_be_written_to_are_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "_refusal", lambda folder: "Read-only file system")
    assert {one.state for one in models.look(config.load(), Models(digests=True))} == {State.OK}
    _, cache, _ = models.look(Settings(engine=Engine(cache=tmp_path)), Models())
    assert (cache.state, cache.found) == (State.WARNING, f"{tmp_path}: Read-only file system")
