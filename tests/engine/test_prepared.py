"""Several sources in one fusion, and photos that come again."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.assignments import FaceAssignment
from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.types import ModelFiles, Pixels
from facefleet.errors.input import FaceIndexInvalid, FaceNotFound, OptionInvalid
from facefleet.options import FuseOptions

SOURCES = ("astronaut", "smiling_woman", "grace_hopper")
GROUP = FuseOptions(faces=tuple(FaceAssignment(face, source) for source, face in enumerate((4, 0, 2))))


@pytest.fixture
def keeping(models: Mapping[str, ModelFiles]) -> Engine:
    return build_engine(models, interpreters=2, cache_bytes=64 << 20)


def pixels_of(image: bytes) -> Pixels:
    return decode(image).pixels


def changed(before: Pixels, after: Pixels) -> Pixels:
    return np.asarray((before != after).any(axis=2), np.uint8)


def test_each_assigned_face_is_what_a_fusion_of_it_alone_makes(engine: Engine, photo: Photo) -> None:
    target = png(pixels_of(photo("group")))
    first, *more = (photo(name) for name in SOURCES)
    together = engine.fuse(first, target, GROUP, more_sources=more)
    assert [face.index for face in together.faces] == [0, 2, 4]
    expected = pixels_of(target).copy()
    for one in GROUP.faces:
        alone = pixels_of(
            engine.fuse(photo(SOURCES[one.source]), target, FuseOptions(target_face=one.target_face)).picture.image
        )
        mask = changed(pixels_of(target), alone) > 0
        expected[mask] = alone[mask]
    assert np.array_equal(pixels_of(together.picture.image), expected)


def test_two_faces_of_one_source_can_change_places(engine: Engine, photo: Photo) -> None:
    target = png(pixels_of(photo("friends")))
    options = FuseOptions(faces=(FaceAssignment(0, source_face=1), FaceAssignment(1, source_face=0)))
    assert len(engine.fuse(target, target, options).faces) == 2


def test_the_order_of_assignments_changes_nothing(engine: Engine, photo: Photo) -> None:
    first, *more = (photo(name) for name in SOURCES)
    backwards = FuseOptions(faces=GROUP.faces[::-1])
    images = [
        engine.fuse(first, photo("group"), options, more_sources=more).picture.image for options in (GROUP, backwards)
    ]
    assert images[0] == images[1]


@pytest.mark.parametrize(
    ("assignment", "image"),
    [
        (FaceAssignment(9), "target"),
        (FaceAssignment(0, source_face=3), "source"),
        (FaceAssignment(0, 1, 3), "source-1"),
    ],
)
def test_an_index_beyond_the_faces_is_refused_by_its_photo(
    engine: Engine, photo: Photo, assignment: FaceAssignment, image: str
) -> None:
    options = FuseOptions(faces=(FaceAssignment(1), assignment))
    more = [photo("astronaut")] if assignment.source else []
    with pytest.raises(FaceIndexInvalid) as caught:
        engine.fuse(photo("astronaut"), photo("group"), options, more_sources=more)
    assert caught.value.detail["image"] == image


def test_a_second_source_without_a_face_is_named(engine: Engine, photo: Photo) -> None:
    blank = png(np.full((200, 200, 3), 128, np.uint8))
    options = FuseOptions(faces=(FaceAssignment(0), FaceAssignment(1, source=1)))
    with pytest.raises(FaceNotFound) as caught:
        engine.fuse(photo("astronaut"), photo("group"), options, more_sources=[blank])
    assert caught.value.detail["image"] == "source-1"


def test_sources_that_do_not_fit_the_assignments_are_refused_before_any_work(engine: Engine) -> None:
    with pytest.raises(OptionInvalid):
        engine.fuse(b"", b"", more_sources=[b""])


def test_what_had_been_made_ready_gives_the_same_pixels_and_every_timing(
    keeping: Engine, engine: Engine, photo: Photo
) -> None:
    options = FuseOptions(target_face="all")
    fresh = engine.fuse(photo("astronaut"), photo("group"), options)
    runs = [keeping.fuse(photo("astronaut"), photo("group"), options) for _ in range(4)]
    assert all(run.picture.image == fresh.picture.image for run in runs)
    assert [dict(run.cache_hits) for run in runs] == [
        {"source": known, "target": known} for known in (False, False, True, True)
    ]
    assert all(list(run.timings_ms) == list(fresh.timings_ms) for run in runs)
    assert fresh.cache_hits == {}


def test_a_kept_target_is_never_written_to(keeping: Engine, engine: Engine, photo: Photo) -> None:
    keeping.prepare_target(photo("group"))
    for name in ("astronaut", "smiling_man", "astronaut"):
        fused = keeping.fuse(photo(name), photo("group"))
        assert fused.cache_hits["target"]
        assert fused.picture.image == engine.fuse(photo(name), photo("group")).picture.image


def test_a_kept_source_serves_other_faces_too(keeping: Engine, engine: Engine, photo: Photo) -> None:
    for _ in range(2):  # what comes again is kept
        keeping.fuse(photo("friends"), photo("astronaut"))
    assert keeping.fuse(photo("friends"), photo("astronaut")).cache_hits["source"]
    other = FuseOptions(source_face=1)
    fused = keeping.fuse(photo("friends"), photo("astronaut"), other)
    assert fused.picture.image == engine.fuse(photo("friends"), photo("astronaut"), other).picture.image


def test_a_failure_is_not_kept(keeping: Engine, photo: Photo) -> None:
    for _ in range(3):
        with pytest.raises(FaceIndexInvalid):
            keeping.fuse(photo("astronaut"), photo("group"), FuseOptions(source_face=1))
    assert keeping.fuse(photo("astronaut"), photo("group")).faces


def test_many_threads_share_what_is_kept_and_change_no_pixel(keeping: Engine, engine: Engine, photo: Photo) -> None:
    pairs = [("astronaut", "group"), ("smiling_man", "group"), ("astronaut", "friends")] * 5
    alone = {pair: engine.fuse(photo(pair[0]), photo(pair[1])).picture.image for pair in set(pairs)}
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda pair: keeping.fuse(photo(pair[0]), photo(pair[1])).picture.image, pairs))
    assert all(image == alone[pair] for pair, image in zip(pairs, together, strict=True))


def test_what_is_forgotten_is_gone(keeping: Engine, photo: Photo) -> None:
    keeping.prepare_target(photo("group"))
    keeping.forget()
    assert not keeping.fuse(photo("astronaut"), photo("group")).cache_hits["target"]


def test_progress_rises_to_nearly_one_over_many_faces(engine: Engine, photo: Photo) -> None:
    shares: list[float] = []
    first, *more = (photo(name) for name in SOURCES)
    engine.fuse(first, photo("group"), GROUP, more_sources=more, checkpoint=lambda _, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert 0.9 < shares[-1] < 1
    assert len(set(shares)) > 15
