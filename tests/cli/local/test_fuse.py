"""``facefleet fuse`` on real photos: a marked file of the target's type, written whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.engine.pictures import under_blue_light

from facefleet import files
from facefleet.errors.input import FileExists
from facefleet.media.sniff import ImageType, sniff
from facefleet.safety.marking import read_mark

pytestmark = pytest.mark.usefixtures("models")


def test_the_result_is_a_marked_photo_of_the_targets_type_and_size(
    run: Run, samples: Mapping[str, Path], tmp_path: Path
) -> None:
    done = run("fuse", samples["smiling_woman"], samples["astronaut"], "-o", "out.png", "--json")
    assert done.status == 0, done.out
    result, target = (tmp_path / "out.png").read_bytes(), samples["astronaut"].read_bytes()
    assert sniff(result) == sniff(target)
    mark = read_mark(result)
    assert mark is not None
    assert mark["ContentProducer"] == "facefleet"
    assert mark["ProduceID"]
    told = done.document
    assert told["output"] == "out.png"
    assert [(face["index"], face["strength"]) for face in told["faces"]] == [(0, 1.0)]
    assert told["models"]["face_landmark"] == "0.6.0"
    assert all(took >= 0 for took in told["timings_ms"].values())


def test_every_face_can_be_replaced_at_once(run: Run, samples: Mapping[str, Path], tmp_path: Path) -> None:
    done = run(
        "fuse", samples["astronaut"], samples["friends"], "-o", "out.jpeg", "--target-face", "all",
        "--strength", "0.8", "--shape", "0", "--source-face", "0", "--json", FACEFLEET_MARKS__PRODUCER="studio",
    )  # fmt: skip
    assert len(done.document["faces"]) == 5, done.out
    result = (tmp_path / "out.jpeg").read_bytes()
    assert sniff(result).type is ImageType.JPEG
    mark = read_mark(result)
    assert mark is not None
    assert mark["ContentProducer"] == "studio"


def test_a_face_that_is_not_there_or_turned_away_leaves_no_file(
    run: Run, samples: Mapping[str, Path], tmp_path: Path
) -> None:
    astronaut = samples["astronaut"]
    turned = run("fuse", samples["turned_man"], astronaut, "-o", "out.png", "--json")
    assert turned.error["code"] == "face_pose_unsupported"
    absent = run("fuse", samples["smiling_man"], astronaut, "-o", "out.png", "--target-face", "3", "--json")
    assert absent.error["code"] == "face_index_invalid"
    assert not list(tmp_path.glob("*out*"))


def test_a_face_that_was_blended_weaker_is_told(run: Run, samples: Mapping[str, Path], tmp_path: Path) -> None:
    (tmp_path / "blue.png").write_bytes(under_blue_light(samples["smiling_woman"].read_bytes()))
    done = run("fuse", samples["portrait_man"], "blue.png", "-o", "out.png", "--min-strength", "0.3")
    assert done.status == 0, done.err
    assert "face 0 was blended at strength 0.30: at 1 it did not look right" in done.out
    refused = run("fuse", samples["portrait_man"], "blue.png", "-o", "out.png", "--min-strength", "1.5", "--json")
    assert (refused.status, refused.error["detail"]["option"]) == (2, "min_strength")


def test_an_extension_of_another_type_is_refused_with_the_one_that_fits(run: Run, samples: Mapping[str, Path]) -> None:
    done = run("fuse", samples["smiling_man"], samples["astronaut"], "-o", "out.jpg", "--json")
    assert done.status == 2
    assert done.error["code"] == "option_invalid"
    assert done.error["detail"]["extension"] == ".png"


def test_an_existing_file_is_kept_unless_forced(run: Run, samples: Mapping[str, Path], tmp_path: Path) -> None:
    (tmp_path / "out.png").write_text("mine")
    arguments = ["fuse", samples["smiling_man"], samples["astronaut"], "-o", "out.png", "--json"]
    refused = run(*arguments, FACEFLEET_ENGINE__CACHE="/nowhere")  # before any model is needed
    assert refused.error["code"] == "file_exists"
    assert (tmp_path / "out.png").read_text() == "mine"
    assert run(*arguments, "--force").status == 0
    assert sniff((tmp_path / "out.png").read_bytes()).type is ImageType.PNG


@pytest.mark.parametrize("out", ["nowhere/out.png", "folder", "/proc/out.png", "file/out.png", "/dev/null", "x" * 300])
def test_an_output_that_cannot_be_written_is_refused(
    run: Run, samples: Mapping[str, Path], tmp_path: Path, out: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    done = run("fuse", samples["smiling_man"], samples["astronaut"], "-o", out, "--force", "--json")
    assert done.status == 1
    assert done.error["code"] == "file_unwritable"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_of_many_writers_without_force_exactly_one_wins(tmp_path: Path) -> None:
    place = tmp_path / "out.png"
    ready, won = threading.Barrier(8), []

    def write(number: int) -> None:
        ready.wait(10)
        try:
            files.write_file(place, bytes([number]) * 100_000, overwrite=False)
            won.append(number)
        except FileExists:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 1
    assert place.read_bytes() == bytes(won) * 100_000
    assert list(tmp_path.iterdir()) == [place]
