"""The manifest: complete entries, or an error that names entry and field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facefleet.engine.models import manifest as manifests
from facefleet.engine.models.manifest import Runtime
from facefleet.errors.model import ManifestInvalid

Write = Callable[..., Path]
SOURCE = "https://models.example/tiny.bin"


def test_the_built_in_manifest_has_the_models_the_engine_needs() -> None:
    models = manifests.load().models
    required = {name for name, entry in models.items() if entry.required}
    assert required == {
        "face_detection_full_range", "face_detection_short_range", "face_landmark", "iris_landmark", "palm_detection",
        "hand_landmark", "open_nsfw",
    }  # fmt: skip
    assert {entry.licence for entry in models.values()} == {"Apache-2.0", "BSD-2-Clause"}
    assert all(entry.commercial == "yes" for entry in models.values())
    assert models["face_landmark"].runtime is Runtime.LITERT
    assert models["open_nsfw"].runtime is Runtime.ONNX


def test_samples_without_a_known_licence_are_never_called_public_domain() -> None:
    for sample in manifests.load().samples.values():
        if sample.public_domain:
            assert sample.licence == "public domain"
        if sample.licence == "unknown":
            assert sample.commercial == "unknown"
            assert "never publish" in sample.notes


def test_an_operators_entry_is_added_to_the_built_in_ones(manifest: Write) -> None:
    models = manifests.load(manifest(SOURCE)).models
    assert models["tiny"].files[0].source == SOURCE
    assert "face_landmark" in models


def test_an_operators_entry_replaces_the_built_in_one_of_its_name(manifest: Write) -> None:
    path = manifest(SOURCE)
    path.write_text(path.read_text().replace("models.tiny", "models.face_landmark"))
    models = manifests.load(path).models
    assert models["face_landmark"].files[0].name == "tiny.bin"
    assert not models["face_landmark"].required
    assert len(models) == len(manifests.load().models)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", None),
        ("version", "../1"),
        ("kind", ""),
        ("runtime", "tensorflow"),
        ("licence", ""),
        ("commercial", "maybe"),
        ("required", "yes"),
        ("notes", None),
        ("colour", "red"),
        ("files.0.sha256", "abc"),
        ("files.0.sha256", "G" * 64),
        ("files.0.size", 0),
        ("files.0.size", -1),
        ("files.0.name", "../tiny.bin"),
        ("files.0.name", "a/b"),
        ("files.0.name", ".."),
        ("files.0.name", ".hidden"),
        ("files.0.source", "ftp://host/file"),
        ("files.0.source", "http://models.example/tiny.bin"),
        ("files.0.source", "file://server/share"),
        ("files.0.source", "wheel:name!file"),
        ("files.0.source", "wheel:--index-url==1!file"),
        ("files.0.source", "wheel:name==1!../file"),
        ("files.0.source", "wheel:name==1!/etc/passwd"),
        ("files.0.source", "wheel:name==1!a\\b"),
    ],
)
def test_a_bad_value_is_refused_with_its_entry_and_field(manifest: Write, field: str, value: object) -> None:
    changes = {"source": SOURCE, field.rpartition(".")[2]: value}
    with pytest.raises(ManifestInvalid) as caught:
        manifests.load(manifest(**changes))
    assert caught.value.detail["entry"] == "models.tiny"
    assert caught.value.detail["field"] == field
    assert field in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models.x", "not TOML"),
        ("[model.x]\n", "'model'"),
        ("models = 3\n", "models is not a table"),
        ("models.x = 3\n", "models.x is not a table"),
        ("[models.x]\nfiles = []\n", "models.x"),
        ("[samples.x]\n", "samples.x"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    with pytest.raises(ManifestInvalid) as caught:
        manifests.load(path)
    assert words in caught.value.message
    assert caught.value.detail["file"] == str(path)


def test_two_files_of_one_name_are_refused(manifest: Write) -> None:
    first = manifest(SOURCE).read_text().partition("[[models.tiny.files]]")[2]
    with pytest.raises(ManifestInvalid, match="two files have one name"):
        manifests.load(manifest(SOURCE, more=f"[[models.tiny.files]]{first}"))


def test_a_missing_or_binary_manifest_is_named(tmp_path: Path) -> None:
    missing, binary = tmp_path / "none.toml", tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (missing, binary):
        with pytest.raises(ManifestInvalid) as caught:
            manifests.load(path)
        assert str(path) in caught.value.message
