"""Who looks at photos and results before they are used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.assignments import FaceAssignment
from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.inspector import Inspected, Inspection, Shown, Verdict
from facefleet.engine.types import ModelFiles, Pixels
from facefleet.errors.input import ContentRejected, FaceNotFound
from facefleet.options import AgeOptions, FuseOptions

SOURCE, TARGET, RESULT = Inspected


class Recorder:
    """Writes down what it is shown, and refuses one role."""

    steps = ("inspect",)

    def __init__(self, refused: Inspected | None = None, verdict: Verdict = Verdict.BLOCKED) -> None:
        self.versions = {"looker": "7"}
        self.refused, self.verdict = refused, verdict
        self.shown: list[tuple[Inspected, Pixels]] = []
        self.warmed = 0

    @property
    def roles(self) -> list[Inspected]:
        return [role for role, _ in self.shown]

    def inspect(self, shown: Shown, role: Inspected) -> Inspection:
        self.shown.append((role, shown.pixels.copy()))
        verdict = self.verdict if role is self.refused else Verdict.ALLOWED
        return Inspection(role, "looks", "looker", "7", 0.25, verdict)

    def warm(self) -> None:
        self.warmed += 1


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def inspecting(models: Mapping[str, ModelFiles], recorder: Recorder) -> Engine:
    return build_engine(models, inspector=recorder, cache_bytes=64 << 20)


def test_source_target_and_result_are_shown_once_each(inspecting: Engine, recorder: Recorder, photo: Photo) -> None:
    target = png(decode(photo("grace_hopper")).pixels)
    fused = inspecting.fuse(photo("astronaut"), target)
    assert recorder.roles == [SOURCE, TARGET, RESULT]
    shown = [pixels for _, pixels in recorder.shown]
    assert np.array_equal(shown[0], decode(photo("astronaut")).pixels)
    assert np.array_equal(shown[1], decode(target).pixels)
    assert np.array_equal(shown[2], decode(fused.picture.image).pixels)


def test_what_is_kept_of_a_photo_is_not_shown_again_and_the_result_is(
    inspecting: Engine, recorder: Recorder, photo: Photo
) -> None:
    for _ in range(2):  # what comes again is kept
        inspecting.fuse(photo("astronaut"), photo("grace_hopper"))
    assert recorder.roles == [SOURCE, TARGET, RESULT] * 2
    recorder.shown.clear()
    inspecting.fuse(photo("astronaut"), photo("grace_hopper"))
    assert recorder.roles == [RESULT]
    inspecting.fuse(photo("smiling_man"), photo("grace_hopper"))
    assert recorder.roles == [RESULT, SOURCE, RESULT]


def test_a_template_is_shown_when_it_is_prepared(inspecting: Engine, recorder: Recorder, photo: Photo) -> None:
    inspecting.prepare_target(photo("grace_hopper"))
    inspecting.fuse(photo("astronaut"), photo("grace_hopper"))
    assert recorder.roles == [TARGET, SOURCE, RESULT]


def test_each_photo_is_shown_once_however_many_faces_are_replaced(
    inspecting: Engine, recorder: Recorder, photo: Photo
) -> None:
    faces = tuple(FaceAssignment(face, source) for face, source in enumerate((0, 1, 0)))
    inspecting.fuse(photo("astronaut"), photo("friends"), FuseOptions(faces=faces), more_sources=[photo("smiling_man")])
    assert recorder.roles == [SOURCE, SOURCE, TARGET, RESULT]


def test_an_aged_photo_is_shown_before_and_after(inspecting: Engine, recorder: Recorder, photo: Photo) -> None:
    inspecting.age(photo("astronaut"), AgeOptions(age=0.5))
    assert recorder.roles == [TARGET, RESULT]
    (_, before), (_, after) = recorder.shown
    assert not np.array_equal(before, after)


def test_a_photo_whose_faces_are_only_located_is_not_shown(
    inspecting: Engine, recorder: Recorder, photo: Photo
) -> None:
    inspecting.faces(photo("astronaut"))
    inspecting.draw(photo("astronaut"))
    assert recorder.roles == []


def test_a_photo_is_shown_before_its_faces_are_looked_for(inspecting: Engine, recorder: Recorder) -> None:
    empty = png(np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(FaceNotFound):
        inspecting.fuse(empty, empty)
    assert recorder.roles == [SOURCE]


@pytest.mark.parametrize("verdict", [Verdict.REVIEW, Verdict.BLOCKED])
@pytest.mark.parametrize("role", list(Inspected))
def test_what_the_inspector_refuses_ends_the_fusion_every_time(
    models: Mapping[str, ModelFiles], photo: Photo, role: Inspected, verdict: Verdict
) -> None:
    recorder = Recorder(refused=role, verdict=verdict)
    engine = build_engine(models, inspector=recorder, cache_bytes=64 << 20)
    for _ in range(4):
        told: list[Inspection] = []
        with pytest.raises(ContentRejected) as caught:
            engine.fuse(photo("astronaut"), photo("grace_hopper"), tell=told.append)
        assert recorder.roles[-1] is role, "nothing that comes after it is done"
        assert caught.value.detail.get("field") == (None if role is RESULT else role.value)
        assert "0.25" not in f"{caught.value} {caught.value.detail}", "the score is not told"
        assert [one.role for one in told] == list(Inspected)[: len(told)]
        assert (told[-1].role, told[-1].verdict) == (role, verdict)
    assert recorder.roles.count(role) == 4, "a refusal is not kept"


def test_an_inspection_is_a_step_and_changes_no_pixel(
    inspecting: Engine, engine: Engine, recorder: Recorder, photo: Photo
) -> None:
    shares: list[float] = []
    plain = engine.fuse(photo("astronaut"), photo("grace_hopper"))
    runs = [
        inspecting.fuse(photo("astronaut"), photo("grace_hopper"), checkpoint=lambda _, share: shares.append(share))
        for _ in range(3)
    ]
    assert all(run.picture == plain.picture for run in runs)
    assert all(list(run.timings_ms)[:3] == ["decode", "inspect", "detect"] for run in runs)
    assert "inspect" not in plain.timings_ms
    assert max(shares) < 1


def test_the_inspector_is_warmed_with_the_engine(inspecting: Engine, recorder: Recorder) -> None:
    inspecting.warm()
    assert (recorder.warmed, recorder.roles) == (1, [])


def test_inspections_are_told_in_order_also_those_of_photos_that_were_kept(
    inspecting: Engine, recorder: Recorder, photo: Photo
) -> None:
    for _ in range(4):
        told: list[Inspection] = []
        fused = inspecting.fuse(photo("astronaut"), photo("grace_hopper"), tell=told.append)
        assert [one.role for one in told] == [SOURCE, TARGET, RESULT]
        assert {one.score for one in told} == {0.25}
        assert fused.models["looker"] == "7"
    assert recorder.roles.count(TARGET) == 2


def test_of_several_sources_the_error_says_which_was_refused(
    models: Mapping[str, ModelFiles], recorder: Recorder, photo: Photo
) -> None:
    class Second(Recorder):
        def inspect(self, shown: Shown, role: Inspected) -> Inspection:
            self.refused = SOURCE if self.shown else None
            return super().inspect(shown, role)

    engine = build_engine(models, inspector=Second())
    faces = (FaceAssignment(0, 0), FaceAssignment(1, 1))
    with pytest.raises(ContentRejected) as caught:
        engine.fuse(photo("astronaut"), photo("friends"), FuseOptions(faces=faces), more_sources=[photo("smiling_man")])
    assert caught.value.detail == {"check": "looks", "field": "source", "number": 1}


def test_a_photo_is_shown_with_its_profile_and_the_digest_of_its_file(
    models: Mapping[str, ModelFiles], photo: Photo
) -> None:
    seen: list[Shown] = []

    class Keeping(Recorder):
        def inspect(self, shown: Shown, role: Inspected) -> Inspection:
            seen.append(shown)
            return super().inspect(shown, role)

    build_engine(models, inspector=Keeping()).fuse(photo("bearded_man"), photo("grace_hopper"))
    source, target, result = seen
    assert source.profile is not None
    assert target.digest == hashlib.sha256(photo("grace_hopper")).digest()
    assert result.digest == b""
