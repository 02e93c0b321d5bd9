"""``facefleet faces`` on real photos."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from facefleet.engine.types import ModelFiles
from facefleet.media.sniff import ImageType, sniff
from facefleet.safety.marking import read_mark

pytestmark = pytest.mark.usefixtures("models")


def blank_png(path: Path, side: int) -> Path:
    """A grey square."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00"
    pixels = zlib.compress((b"\0" + b"\x80" * side) * side)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def test_one_face_is_told_in_pixels_and_degrees(run: Run, samples: Mapping[str, Path]) -> None:
    found = run("faces", samples["astronaut"], "--json").document
    assert found["image"] == {"width": 512, "height": 512}
    (face,) = found["faces"]
    assert face["index"] == 0
    assert 0.9 < face["score"] <= 1
    assert abs(face["pose"]["yaw"]) < 15
    box = face["box"]
    assert len(face["landmarks5"]) == 5
    for x, y in face["landmarks5"]:
        assert box["x"] < x < box["x"] + box["width"]
        assert box["y"] < y < box["y"] + box["height"]


def test_several_faces_are_told_the_largest_first(run: Run, samples: Mapping[str, Path]) -> None:
    faces = run("faces", samples["friends"], "--json").document["faces"]
    assert [face["index"] for face in faces] == [0, 1, 2, 3, 4]
    areas = [face["box"]["width"] * face["box"]["height"] for face in faces]
    assert areas == sorted(areas, reverse=True)
    assert len(run("faces", samples["friends"]).out.splitlines()) == 5


def test_a_photo_without_a_face_is_no_error(run: Run, tmp_path: Path) -> None:
    photo = blank_png(tmp_path / "blank.png", 128)
    done = run("faces", photo, "--json")
    assert done.status == 0
    assert done.document == {"image": {"width": 128, "height": 128}, "faces": []}
    assert run("faces", photo).out == "no face\n"


def test_a_drawing_is_written_in_the_photos_format(run: Run, samples: Mapping[str, Path], tmp_path: Path) -> None:
    assert run("faces", samples["grace_hopper"], "--draw", "drawn.jpg").status == 0
    drawn = (tmp_path / "drawn.jpg").read_bytes()
    assert sniff(drawn).type is ImageType.JPEG
    assert drawn != samples["grace_hopper"].read_bytes()
    assert read_mark(drawn) is not None
    refused = run("faces", samples["grace_hopper"], "--draw", "drawn.jpg", "--json")
    assert refused.error["code"] == "file_exists"
    assert (tmp_path / "drawn.jpg").read_bytes() == drawn
    assert run("faces", samples["grace_hopper"], "--draw", "drawn.png", "--json").error["code"] == "option_invalid"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing.jpg", "file_unreadable"),
        ("folder.jpg", "file_unreadable"),
        ("text.jpg", "image_type_unsupported"),
        ("empty.jpg", "image_type_unsupported"),
        ("cut.png", "image_decode_failed"),
        ("small.png", "image_too_small"),
    ],
)
def test_a_file_that_is_no_usable_photo_is_refused(
    run: Run, samples: Mapping[str, Path], tmp_path: Path, name: str, code: str
) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "text.jpg").write_text("not a photo")
    (tmp_path / "empty.jpg").touch()
    whole = samples["astronaut"].read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    blank_png(tmp_path / "small.png", 16)
    done = run("faces", name, "--json")
    assert done.status == 1
    assert done.error["code"] == code


def test_a_file_over_the_limit_is_refused_before_it_is_read_whole(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "endless.jpg").open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room
    done = run("faces", "endless.jpg", "--json", FACEFLEET_IMAGES__MAX_BYTES="1000")
    assert done.error["code"] == "image_too_large_bytes"


def test_what_never_ends_is_not_read(run: Run) -> None:
    assert run("faces", "/dev/zero", "--json").error["code"] == "file_unreadable"


def test_models_are_fetched_when_they_are_missing(
    run: Run, samples: Mapping[str, Path], models: Mapping[str, ModelFiles]
) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}
    done = run("faces", samples["astronaut"], "--json", FACEFLEET_ENGINE__CACHE="empty-cache", **offline)
    assert done.error["code"] == "model_fetch_failed"
