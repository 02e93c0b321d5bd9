"""``facefleet age`` on a real photo: a marked file, or a refusal that leaves none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from facefleet.media.sniff import sniff
from facefleet.safety.marking import read_mark

pytestmark = pytest.mark.usefixtures("models")


def test_the_aged_photo_is_marked_as_a_fusion_is(run: Run, samples: Mapping[str, Path], tmp_path: Path) -> None:
    done = run("age", samples["group"], "-o", "out.jpg", "--by", "-0.5", "--face", "2", "--json")
    assert done.status == 0, done.out
    result = (tmp_path / "out.jpg").read_bytes()
    assert sniff(result) == sniff(samples["group"].read_bytes())
    mark = read_mark(result)
    assert mark is not None
    assert mark["Label"] == "1"
    assert [face["index"] for face in done.document["faces"]] == [2]
    assert done.document["timings_ms"]["age"] > 0


@pytest.mark.parametrize("by", ["1.5", "-2", "nan"])
def test_more_than_stays_credible_is_refused_and_leaves_no_file(
    run: Run, samples: Mapping[str, Path], tmp_path: Path, by: str
) -> None:
    done = run("age", samples["astronaut"], "-o", "out.png", "--by", by, "--json")
    assert (done.status, done.error["code"]) == (2, "option_invalid")
    assert (done.error["detail"]["minimum"], done.error["detail"]["maximum"]) == (-1.0, 1.0)
    assert not list(tmp_path.glob("*out*"))


def test_a_fusion_can_be_aged_in_one_go(run: Run, samples: Mapping[str, Path], tmp_path: Path) -> None:
    done = run("fuse", samples["smiling_woman"], samples["astronaut"], "-o", "out.png", "--age", "0.6", "--json")
    assert done.status == 0, done.out
    assert "age" in done.document["timings_ms"]
