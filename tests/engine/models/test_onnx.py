"""ONNX Runtime as a session, with the real weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from facefleet.engine.models.onnx import OnnxSession
from facefleet.engine.models.session import ImageModel, Session
from facefleet.engine.types import ModelFiles
from facefleet.errors.model import ModelLoadFailed


@pytest.fixture(scope="module")
def model(models: Mapping[str, ModelFiles]) -> ModelFiles:
    return models["open_nsfw"]


@pytest.fixture(scope="module")
def session(model: ModelFiles) -> OnnxSession:
    return OnnxSession(model)


def images(count: int, side: int = 224) -> np.ndarray:
    return np.random.default_rng(5).uniform(-120, 130, (count, side, side, 3)).astype(np.float32)


def damaged(model: ModelFiles, folder: Path, data: bytes) -> ModelFiles:
    path = folder / "damaged.onnx"
    path.write_bytes(data)
    return ModelFiles(model.name, model.version, {path.name: path})


def test_a_session_names_its_inputs_and_outputs_with_shapes_and_types(session: Session) -> None:
    (image,), (output,) = session.inputs, session.outputs
    assert image.shape == (None, 224, 224, 3)
    assert output.shape == (None, 2)
    assert image.dtype == output.dtype == np.float32
    answers = session.run({image.name: images(3)})
    assert list(answers) == [output.name]
    assert answers[output.name].shape == (3, 2)
    assert answers[output.name].dtype == np.float32


def test_rows_of_a_batch_get_what_each_gets_alone(session: OnnxSession) -> None:
    model, rows = ImageModel(session), images(3)
    together = model.run(rows)[0]
    alone = np.concatenate([model.run(row[None])[0] for row in rows])
    assert np.allclose(together, alone, atol=1e-5)


def test_threads_that_share_a_session_get_their_own_answers(session: OnnxSession) -> None:
    model, rows = ImageModel(session), images(4)
    expected = [model.run(row[None])[0] for row in rows]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda i: model.run(rows[i % 4][None])[0], range(24)))
    assert all(np.array_equal(one, expected[i % 4]) for i, one in enumerate(found))


def test_a_result_is_not_overwritten_by_the_next_run(session: OnnxSession) -> None:
    model, rows = ImageModel(session), images(2)
    first = model.run(rows[:1])[0]
    kept = first.copy()
    model.run(rows[1:])
    assert np.array_equal(first, kept)


def test_a_session_goes_on_after_an_error_in_a_run(session: OnnxSession) -> None:
    (image,) = session.inputs
    with pytest.raises(Exception, match=r"(?i)dimension"):
        session.run({image.name: images(1, side=5)})
    session.warm()


def test_weights_that_are_replaced_meanwhile_change_nothing(model: ModelFiles, tmp_path: Path) -> None:
    (original,) = model.files.values()
    copy = damaged(model, tmp_path, original.read_bytes())
    session = OnnxSession(copy)
    before = ImageModel(session).run(images(1))[0]
    (path,) = copy.files.values()
    path.write_bytes(b"replaced")
    assert np.array_equal(ImageModel(session).run(images(1))[0], before)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.99])
def test_damaged_weights_are_refused_by_name(model: ModelFiles, tmp_path: Path, share: float) -> None:
    (path,) = model.files.values()
    data = path.read_bytes()
    with pytest.raises(ModelLoadFailed) as caught:
        OnnxSession(damaged(model, tmp_path, data[: int(len(data) * share)]))
    assert caught.value.detail["model"] == "open_nsfw"


def test_weights_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed):
        OnnxSession(ModelFiles("gone", "1", {"gone.onnx": tmp_path / "gone.onnx"}))


def test_a_model_of_no_file_is_refused() -> None:
    with pytest.raises(ModelLoadFailed):
        OnnxSession(ModelFiles("none", "1", {}))


def test_the_runtime_writes_nothing_by_itself(model: ModelFiles) -> None:
    (path,) = model.files.values()
    code = f"""
from pathlib import Path
from facefleet.engine.models.onnx import OnnxSession
from facefleet.engine.types import ModelFiles
from facefleet.errors.model import ModelLoadFailed
OnnxSession(ModelFiles("m", "1", {{"m": Path({str(path)!r})}})).warm()
try:
    OnnxSession(ModelFiles("m", "1", {{"m": Path({sys.executable!r})}}))
except ModelLoadFailed:
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
