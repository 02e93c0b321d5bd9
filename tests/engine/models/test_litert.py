from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.models.session import ImageModel, Session
from facefleet.engine.models.smaller import for_side
from facefleet.engine.types import ModelFiles
from facefleet.errors.model import ModelLoadFailed


def damaged(model: ModelFiles, folder: Path, data: bytes) -> ModelFiles:
    path = folder / "damaged.tflite"
    path.write_bytes(data)
    return ModelFiles(model.name, model.version, {path.name: path})


def weights(model: ModelFiles) -> bytes:
    (path,) = model.files.values()
    return path.read_bytes()


def test_threads_that_share_a_session_get_their_own_answers(models: Mapping[str, ModelFiles]) -> None:
    model = ImageModel(LiteRtSession(models["face_landmark"], interpreters=2))
    random = np.random.default_rng(1)
    tensors = [random.random((1, model.size, model.size, 3), np.float32) for _ in range(4)]
    expected = [model.run(tensor)[0] for tensor in tensors]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda i: model.run(tensors[i % 4])[0], range(80)))
    assert all(np.array_equal(one, expected[i % 4]) for i, one in enumerate(found))


def crops(model: ImageModel, samples: Mapping[str, Path]) -> list[np.ndarray]:
    """Real photos at the size of the model's input."""
    images = [cv2.imread(str(samples[name])) for name in ("astronaut", "grace_hopper", "group", "smiling_man")]
    sized = [cv2.resize(image, (model.size, model.size)) for image in images if image is not None]
    turned = [cv2.rotate(image, cv2.ROTATE_180) for image in sized]
    return [(image[None, :, :, ::-1] / 255).astype(np.float32) for image in sized + turned]


def mismatches(model: ModelFiles, samples: Mapping[str, Path], each: int) -> int:
    """Of eight threads with ``each`` inferences over four interpreters, against one thread alone."""
    session = ImageModel(LiteRtSession(model, interpreters=4))
    tensors = crops(session, samples)
    expected = [session.run(tensor) for tensor in tensors]

    def work(thread: int) -> int:
        wrong = 0
        for turn in range(each):
            found = session.run(tensors[(thread + turn) % len(tensors)])
            right = expected[(thread + turn) % len(tensors)]
            wrong += not all(np.array_equal(one, other) for one, other in zip(found, right, strict=True))
        return wrong

    with ThreadPoolExecutor(8) as threads:
        return sum(threads.map(work, range(8)))


MODELS = (
    "face_detection_full_range", "face_detection_short_range", "face_landmark", "iris_landmark", "palm_detection",
    "hand_landmark",
)  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_eight_threads_get_what_one_gets(
    models: Mapping[str, ModelFiles], samples: Mapping[str, Path], name: str
) -> None:
    assert mismatches(models[name], samples, each=15) == 0


@pytest.mark.fuzz
@pytest.mark.parametrize("name", MODELS)
def test_eight_threads_get_what_one_gets_a_thousand_times(
    models: Mapping[str, ModelFiles], samples: Mapping[str, Path], name: str
) -> None:
    assert mismatches(models[name], samples, each=1000) == 0


def test_a_session_names_its_inputs_and_outputs_with_shapes_and_types(models: Mapping[str, ModelFiles]) -> None:
    session: Session = LiteRtSession(models["face_landmark"])
    (image,) = session.inputs
    assert image.shape == (1, 192, 192, 3)
    assert image.dtype == np.float32
    answers = session.run({image.name: np.zeros((1, 192, 192, 3), np.float32)})
    assert list(answers) == [output.name for output in session.outputs]
    for output in session.outputs:
        assert answers[output.name].shape == output.shape
        assert answers[output.name].dtype == output.dtype


def test_a_result_is_not_overwritten_by_the_next_run(models: Mapping[str, ModelFiles]) -> None:
    model = ImageModel(LiteRtSession(models["face_landmark"]))
    first = model.run(np.zeros((1, model.size, model.size, 3), np.float32))[0]
    kept = first.copy()
    model.run(np.ones((1, model.size, model.size, 3), np.float32))
    assert np.array_equal(first, kept)


def test_an_error_in_a_run_gives_the_interpreter_back(models: Mapping[str, ModelFiles]) -> None:
    session = LiteRtSession(models["face_landmark"])
    (image,) = session.inputs
    for _ in range(3):  # with one interpreter, a lost lease would hang the second call
        with pytest.raises(ValueError, match="Dimension mismatch"):
            session.run({image.name: np.zeros((1, 5, 5, 3), np.float32)})
    session.warm()


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.99])
def test_damaged_weights_are_refused_by_name(models: Mapping[str, ModelFiles], tmp_path: Path, share: float) -> None:
    model = models["face_landmark"]
    data = weights(model)
    with pytest.raises(ModelLoadFailed) as caught:
        LiteRtSession(damaged(model, tmp_path, data[: int(len(data) * share)])).warm()
    assert caught.value.detail["model"] == "face_landmark"


def test_weights_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed):
        LiteRtSession(ModelFiles("gone", "1", {"gone.tflite": tmp_path / "gone.tflite"}))


def test_a_model_of_no_file_is_refused() -> None:
    with pytest.raises(ModelLoadFailed):
        LiteRtSession(ModelFiles("none", "1", {}))


def test_a_model_rewritten_for_its_own_side_is_the_same_file(models: Mapping[str, ModelFiles]) -> None:
    palms = weights(models["palm_detection"])
    assert for_side(palms, 192) == palms
    changed = np.frombuffer(palms, np.uint8) != np.frombuffer(for_side(palms, 96), np.uint8)
    assert 0 < changed.sum() <= 16  # two maps, two sides each


def test_a_model_for_half_its_side_sees_the_same_at_half_the_places(
    models: Mapping[str, ModelFiles], samples: Mapping[str, Path]
) -> None:
    whole = ImageModel(LiteRtSession(models["palm_detection"]))
    half = ImageModel(LiteRtSession(models["palm_detection"], side=96))
    assert (whole.size, half.size) == (192, 96)
    image = cv2.imread(str(samples["bearded_man"]))
    assert image is not None
    small = cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(small, 0, 96, 0, 96, cv2.BORDER_CONSTANT)
    scores = [
        next(each for each in model.run((pixels[None, :, :, ::-1] / 255).astype(np.float32)) if each.shape[-1] == 1)
        for model, pixels in ((whole, framed), (half, small))
    ]
    assert scores[1].size == scores[0].size // 4
    fine = [score[0, : 2 * side * side].reshape(side, side, 2) for score, side in zip(scores, (24, 12), strict=True)]
    assert np.abs(fine[0][:6, :6] - fine[1][:6, :6]).mean() < 0.25 * fine[0].std()


def test_a_side_that_does_not_suit_the_maps_is_refused(models: Mapping[str, ModelFiles]) -> None:
    with pytest.raises(ValueError, match="100 px from 192 px"):
        for_side(weights(models["palm_detection"]), 100)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_file_is_refused_for_another_side_as_well(
    models: Mapping[str, ModelFiles], tmp_path: Path, share: float
) -> None:
    whole = weights(models["palm_detection"])
    with pytest.raises(ModelLoadFailed):
        LiteRtSession(damaged(models["palm_detection"], tmp_path, whole[: int(share * len(whole))]), side=96)
