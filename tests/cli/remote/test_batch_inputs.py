"""Which photos a command line names, and what their results are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.gateway.conftest import picture

from facefleet.cli.remote.batch_inputs import BatchInputs
from facefleet.errors.input import FileUnreadable, ImageTypeUnsupported, RequestError, UploadMissing
from facefleet.media.sniff import ImageType, Limits

LIMITS = Limits(max_bytes=1 << 20, max_pixels=1 << 20, min_side=8)
JPEG, PNG = ImageType.JPEG, ImageType.PNG


def paths(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def test_a_folder_stands_for_its_photos(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg", "none"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    chosen = BatchInputs.choose([tmp_path, Path("c")], None, Path("t.jpg"), ())
    assert chosen.sources == [tmp_path / "a.png", tmp_path / "b.JPG", Path("c")]
    assert (chosen.targets, chosen.inputs) == ([Path("t.jpg")], chosen.sources)
    with pytest.raises(FileUnreadable, match="no file"):
        BatchInputs.choose([tmp_path / "folder.jpg"], Path("s.jpg"), None, ())


@pytest.mark.parametrize(
    ("photos", "source", "target", "template_ids"),
    [
        (["a"], None, None, []),
        (["a"], Path("s"), Path("t"), []),
        (["a"], None, Path("t"), ["x"]),
        (["a", "b"], None, None, ["x", "y"]),
    ],
)
def test_items_share_one_thing(
    photos: list[str], source: Path | None, target: Path | None, template_ids: list[str]
) -> None:
    with pytest.raises(RequestError) as caught:
        BatchInputs.choose(paths(*photos), source, target, template_ids)
    assert type(caught.value) is RequestError


def test_results_have_the_names_of_their_photos_and_the_type_of_their_targets() -> None:
    targets = BatchInputs.choose(paths("x/a.jpeg", "y/A.JPEG", "b.dat", "c.jpg", "a-2.jpeg"), Path("s.jpg"), None, ())
    assert targets.names([JPEG, JPEG, JPEG, PNG, JPEG]) == [
        "a.jpeg", "A-2.JPEG", "b.dat.jpg", "c.png", "a-2-2.jpeg"
    ]  # fmt: skip
    sources = BatchInputs.choose(paths("../a.png", "v1.2", "a.jpg"), None, Path("t.jpg"), ())
    assert sources.names([JPEG]) == ["a.jpg", "v1.2.jpg", "a-2.jpg"]
    assert BatchInputs.choose(paths("a.png"), None, None, ["x", "y"]).names([JPEG, PNG]) == ["a.jpg", "a.png"]


def test_the_photo_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "b.jpg").write_bytes(b"text")
    chosen = BatchInputs.choose([tmp_path / "a.jpg", tmp_path / "b.jpg"], tmp_path / "a.jpg", None, ())
    with pytest.raises(ImageTypeUnsupported) as here:
        chosen.check(LIMITS)
    assert str(tmp_path / "b.jpg") in here.value.message
    with pytest.raises(UploadMissing) as there, chosen.naming_files():
        raise UploadMissing("It is empty.", field="target", number=1)
    assert there.value.message == f"{tmp_path / 'b.jpg'}: It is empty."
    with pytest.raises(UploadMissing, match=r"^It is empty\.$"), chosen.naming_files():
        raise UploadMissing("It is empty.", field="target", number=2)
