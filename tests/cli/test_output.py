"""What is said of a file, and what is typed to go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.client.scripted import Said, saying
from tests.engine.pictures import jpeg

import facefleet.cli.remote.server as commands
from facefleet.cli.output import typed_photo
from facefleet.client import Client
from facefleet.errors.input import ImageError, OptionInvalid
from facefleet.media.sniff import Limits

TASK = {"task_id": "t-1", "kind": "fuse", "status": "succeeded", "progress": 1.0}


def test_what_is_wrong_with_a_photo_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    with pytest.raises(ImageError) as caught:
        typed_photo(tmp_path / "text.jpg", Limits())
    assert caught.value.message.startswith(f"{tmp_path / 'text.jpg'}: ")
    assert caught.value.detail["path"] == str(tmp_path / "text.jpg")


@pytest.mark.parametrize(
    ("out", "url", "expected"),
    [
        (None, None, "facefleet wait t-1"),
        (Path("my photo.jpg"), "http://127.0.0.1:1", "facefleet wait t-1 -o 'my photo.jpg' --url http://127.0.0.1:1"),
    ],
)
def test_what_goes_on_can_be_typed_as_it_is_told(out: Path | None, url: str | None, expected: str) -> None:
    assert commands.resume_command("wait", "t-1", url, out) == expected


def test_a_result_is_not_written_under_the_name_of_another_type(tmp_path: Path) -> None:
    picture = jpeg(np.zeros((64, 64, 3), np.uint8))
    answer = saying(lambda heard: Said(200, picture if heard.path.endswith("/result") else TASK))
    with answer as server, Client(server.url) as client:
        task = client.task("t-1")
        with pytest.raises(OptionInvalid, match=r"use \.jpg"):
            commands.save(task, tmp_path / "out.png", overwrite=False)
        commands.save(task, tmp_path / "out.jpg", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out.jpg"]
