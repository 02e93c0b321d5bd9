from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, permutations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import as_stored, jpeg, jpeg_with_orientation, png, webp

from facefleet.assignments import FaceAssignment
from facefleet.engine.build import build_engine
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.steps.locate import ALIKE
from facefleet.engine.types import Face, ModelFiles, Pixels, Skipped
from facefleet.errors.input import (
    FaceIndexInvalid,
    FaceNotFound,
    FaceOutOfFrame,
    FacePoseUnsupported,
    FaceTooSmall,
    ImageDecodeFailed,
)
from facefleet.errors.model import ModelUnknown
from facefleet.media.sniff import ImageType
from facefleet.options import FuseOptions

STEPS = ["decode", "detect", "landmarks", "prepare", "align", "warp", "colour", "blend", "encode"]
FRONTAL = ("astronaut", "grace_hopper", "portrait_man", "smiling_woman", "turned_woman", "smiling_man", "friends")


def region(face: Face, margin: float, shape: tuple[int, ...]) -> np.ndarray:
    """Mask of a face's box, grown by a share of its size."""
    mask = np.zeros(shape[:2], np.bool_)
    grow = margin * max(face.box.width, face.box.height)
    x0, y0 = max(0, int(face.box.x - grow)), max(0, int(face.box.y - grow))
    mask[y0 : int(face.box.y + face.box.height + grow), x0 : int(face.box.x + face.box.width + grow)] = True
    return mask


def distance(a: Face, b: Face) -> float:
    """Mean distance of the landmarks in face widths."""
    return float(np.linalg.norm(a.landmarks[:, :2] - b.landmarks[:, :2], axis=1).mean() / b.box.width)


def empty(width: int = 320, height: int = 240) -> bytes:
    return png(np.full((height, width, 3), 128, np.uint8))


@pytest.mark.parametrize(("name", "count"), [("group", 6), ("astronaut", 1), ("friends", 5), ("bearded_man", 1)])
def test_every_face_of_a_photo_is_found(engine: Engine, photo: Photo, name: str, count: int) -> None:
    found = engine.faces(photo(name))
    assert len(found.faces) == count
    assert [face.index for face in found.faces] == list(range(count))
    areas = [face.box.area for face in found.faces]
    assert all(after < before / ALIKE for before, after in pairwise(areas))


def test_a_tight_head_crop_is_found(engine: Engine, astronaut: Pixels) -> None:
    face = engine.faces(png(astronaut)).faces[0]
    x, y, width, height = (round(v) for v in (face.box.x, face.box.y, face.box.width, face.box.height))
    tight = np.ascontiguousarray(astronaut[y - 5 : y + height + 5, x - 5 : x + width + 5])
    found = engine.faces(png(np.asarray(cv2.resize(tight, None, fx=4, fy=4), np.uint8)))
    assert len(found.faces) == 1


@pytest.mark.parametrize("height", [1800, 3000])
def test_a_small_face_in_a_large_photo_is_found(engine: Engine, astronaut: Pixels, height: int) -> None:
    canvas = np.full((height, height * 4 // 3, 3), 90, np.uint8)
    canvas[-700:-188, 300:812] = astronaut
    (face,) = engine.faces(png(canvas)).faces
    own = engine.faces(png(astronaut)).faces[0]
    assert (face.box.x - 300, face.box.y - height + 700) == pytest.approx((own.box.x, own.box.y), abs=4)


def test_a_photo_without_a_face_has_none(engine: Engine) -> None:
    found = engine.faces(empty())
    assert (found.width, found.height, found.faces) == (320, 240, ())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_way_the_camera_was_held_changes_nothing(engine: Engine, astronaut: Pixels, orientation: int) -> None:
    upright = astronaut[:400]
    stored = jpeg_with_orientation(jpeg(as_stored(upright, orientation)), orientation)
    found = engine.faces(stored)
    assert (found.width, found.height) == (512, 400)
    assert distance(found.faces[0], engine.faces(jpeg(upright)).faces[0]) < 0.01


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper", "smiling_woman", "turned_woman"])
def test_a_face_upside_down_is_not_read_as_upright(engine: Engine, photo: Photo, name: str) -> None:
    pixels = decode(photo(name)).pixels
    (face,) = engine.faces(png(as_stored(pixels, 3))).faces
    (own,) = engine.faces(photo(name)).faces
    assert abs(face.pose.roll) > 170
    height, width = pixels.shape[:2]
    back = (width - 1, height - 1) - face.landmarks5
    assert np.abs(back - own.landmarks5).max() < 0.04 * own.box.width


@pytest.mark.parametrize("orientation", [6, 8])
def test_a_head_on_its_side_is_found_and_fused(engine: Engine, photo: Photo, orientation: int) -> None:
    upright = decode(photo("smiling_man")).pixels
    fused = engine.fuse(photo("astronaut"), png(as_stored(upright, orientation)))
    assert abs(abs(fused.faces[0].pose.roll) - 90) < 6


def test_strength_zero_returns_the_target_pixels(engine: Engine, photo: Photo) -> None:
    target = png(decode(photo("smiling_man")).pixels)
    fused = engine.fuse(photo("astronaut"), target, FuseOptions(strength=0))
    assert np.array_equal(decode(fused.picture.image).pixels, decode(target).pixels)


def test_pixels_outside_the_face_are_untouched(engine: Engine, photo: Photo) -> None:
    target = png(decode(photo("group")).pixels)
    fused = engine.fuse(photo("astronaut"), target, FuseOptions(target_face=3))
    before, after = decode(target).pixels, decode(fused.picture.image).pixels
    inside = region(fused.faces[0], 0.1, before.shape)
    assert np.array_equal(before[~inside], after[~inside])
    assert not np.array_equal(before[inside], after[inside])


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper", "smiling_woman"])
def test_a_face_fused_into_itself_stays_as_it_is(engine: Engine, photo: Photo, name: str) -> None:
    target = png(decode(photo(name)).pixels)
    fused = engine.fuse(target, target)
    before, after = decode(target).pixels, decode(fused.picture.image).pixels
    inside = region(fused.faces[0], 0.0, before.shape)
    error = np.mean((before[inside].astype(float) - after[inside]) ** 2)
    assert 10 * np.log10(255**2 / error) > 36


@pytest.mark.parametrize(("source", "target"), list(permutations(FRONTAL, 2)))
def test_a_fused_face_keeps_the_place_of_the_target(engine: Engine, photo: Photo, source: str, target: str) -> None:
    fused = engine.fuse(photo(source), photo(target))
    after = engine.faces(fused.picture.image).faces
    assert min(distance(face, fused.faces[0]) for face in after) < 0.05


@pytest.mark.parametrize(
    ("source", "target"),
    [("smiling_man", "astronaut"), ("portrait_man", "smiling_woman"), ("astronaut", "smiling_man")],
)
def test_a_fused_face_looks_more_like_the_source(engine: Engine, photo: Photo, source: str, target: str) -> None:
    fused = engine.fuse(photo(source), photo(target))
    result, source_detail, target_detail = (
        detail(engine, image) for image in (fused.picture.image, photo(source), photo(target))
    )
    assert likeness(result, source_detail) > 0.4
    assert likeness(result, source_detail) > likeness(target_detail, source_detail) + 0.15


def detail(engine: Engine, image: bytes) -> np.ndarray:
    """Eyes, brows and nose of the largest face at a common place and size, without its shading."""
    places = np.array([[30, 40], [66, 40], [48, 62]], np.float32)
    face, pixels = engine.faces(image).faces[0], decode(image).pixels
    turn = cv2.getAffineTransform(face.landmarks5[:3], places)
    grey = cv2.cvtColor(cv2.warpAffine(pixels, turn, (96, 96), flags=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.5)
    return np.asarray(smooth - cv2.GaussianBlur(smooth, (0, 0), 8))[24:68, 16:80]


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_a_grey_target_stays_grey(engine: Engine, photo: Photo) -> None:
    grey = cv2.cvtColor(decode(photo("astronaut")).pixels, cv2.COLOR_BGR2GRAY)
    fused = decode(engine.fuse(photo("smiling_woman"), png(grey)).picture.image).pixels.astype(int)
    assert np.ptp(fused, axis=2).max() <= 6


@pytest.mark.parametrize("brightness", [0.15, 0.4])
def test_a_dark_target_keeps_its_light(engine: Engine, photo: Photo, brightness: float) -> None:
    target = np.asarray(decode(photo("smiling_man")).pixels * brightness, np.uint8)
    fused = engine.fuse(photo("smiling_woman"), png(target))
    before, after = target, decode(fused.picture.image).pixels
    inside = region(fused.faces[0], -0.25, before.shape)
    assert after[inside].mean() == pytest.approx(before[inside].mean(), rel=0.15)
    assert after[inside].std() < 1.5 * before[inside].std()


def test_the_same_input_gives_the_same_pixels_from_many_threads(engine: Engine, photo: Photo) -> None:
    pairs = [("astronaut", "group"), ("smiling_man", "astronaut"), ("grace_hopper", "friends")] * 6
    alone = {pair: engine.fuse(photo(pair[0]), photo(pair[1])).picture.image for pair in set(pairs)}
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda pair: engine.fuse(photo(pair[0]), photo(pair[1])).picture.image, pairs))
    assert all(image == alone[pair] for pair, image in zip(pairs, together, strict=True))


def test_all_faces_are_fused_but_those_that_cannot_be(engine: Engine, photo: Photo) -> None:
    target = png(decode(photo("friends")).pixels)
    fused = engine.fuse(photo("astronaut"), target, FuseOptions(target_face="all"))
    assert [face.index for face in fused.faces] == [0, 1, 2, 3, 4]
    assert fused.skipped == ()
    before, after = decode(target).pixels, decode(fused.picture.image).pixels
    changed = [
        not np.array_equal(before[region(f, 0, before.shape)], after[region(f, 0, before.shape)]) for f in fused.faces
    ]
    assert all(changed)


def test_of_all_faces_those_that_stay_as_they_were_are_named_with_the_reason(engine: Engine, photo: Photo) -> None:
    small = cv2.copyMakeBorder(decode(photo("astronaut")).pixels, 0, 0, 0, 300, cv2.BORDER_REPLICATE)
    tiny = cv2.resize(decode(photo("smiling_man")).pixels, None, fx=0.16, fy=0.16, interpolation=cv2.INTER_AREA)
    small[40 : 40 + tiny.shape[0], 560 : 560 + tiny.shape[1]] = tiny
    target = png(np.asarray(small, np.uint8))
    found = engine.faces(target, tiles=True).faces
    assert len(found) == 2
    fused = engine.fuse(photo("astronaut"), target, FuseOptions(target_face="all", tiles=True))
    assert [face.index for face in fused.faces] == [0]
    assert fused.skipped == (Skipped(1, "face_too_small"),)
    assert engine.fuse(photo("astronaut"), target, FuseOptions(tiles=True)).skipped == (), "one was asked for"


def test_sunglasses_of_the_target_stay(engine: Engine, photo: Photo) -> None:
    target = png(decode(photo("friends")).pixels)
    fused = engine.fuse(photo("astronaut"), target, FuseOptions(target_face=3))
    before, after = decode(target).pixels, decode(fused.picture.image).pixels
    assert np.abs(before[eye(fused.faces[0])].astype(int) - after[eye(fused.faces[0])]).max() <= 3


def eye(face: Face) -> tuple[slice, slice]:
    x, y = face.landmarks5[0].astype(int)
    return slice(y - 3, y + 4), slice(x - 3, x + 4)


def test_the_alpha_of_the_target_comes_back(engine: Engine, photo: Photo) -> None:
    target = photo("bearded_man")
    frame = decode(target)
    assert frame.alpha is not None
    again = decode(engine.fuse(photo("smiling_man"), target).picture.image)
    assert again.alpha is not None
    assert np.array_equal(again.alpha, frame.alpha)


@pytest.mark.parametrize(
    ("encode", "kind"),
    [(jpeg, ImageType.JPEG), (png, ImageType.PNG), (webp, ImageType.WEBP)],
    ids=["jpeg", "png", "webp"],
)
def test_the_result_has_the_format_of_the_target(engine: Engine, photo: Photo, encode: object, kind: ImageType) -> None:
    assert callable(encode)
    fused = engine.fuse(photo("grace_hopper"), encode(decode(photo("astronaut")).pixels))
    assert fused.picture.media_type is kind
    assert decode(fused.picture.image).type is kind


@pytest.mark.parametrize("image", ["source", "target"])
def test_a_photo_without_a_face_is_refused_by_its_name(engine: Engine, photo: Photo, image: str) -> None:
    pair = {"source": photo("astronaut"), "target": photo("astronaut"), image: empty()}
    with pytest.raises(FaceNotFound) as caught:
        engine.fuse(pair["source"], pair["target"])
    assert (caught.value.detail["image"], caught.value.detail["field"]) == (image, image)
    assert "number" not in caught.value.detail, "there is one of each"


def test_of_several_sources_the_one_that_is_refused_is_told_by_its_number(engine: Engine, photo: Photo) -> None:
    options = FuseOptions(faces=(FaceAssignment(0, 0), FaceAssignment(1, 1)))
    for wrong, error in ((empty(), FaceNotFound), (photo("astronaut")[:5_000], ImageDecodeFailed)):
        with pytest.raises(error) as caught:
            engine.fuse(photo("astronaut"), photo("group"), options, more_sources=[wrong])
        assert (caught.value.detail["field"], caught.value.detail["number"]) == ("source", 1)


def test_a_target_that_is_damaged_is_told_by_its_field(engine: Engine, photo: Photo) -> None:
    with pytest.raises(ImageDecodeFailed) as caught:
        engine.fuse(photo("astronaut"), photo("grace_hopper")[:5_000])
    assert caught.value.detail["field"] == "target"


@pytest.mark.parametrize("image", ["source", "target"])
def test_an_index_beyond_the_faces_is_refused(engine: Engine, photo: Photo, image: str) -> None:
    options = FuseOptions(source_face=1) if image == "source" else FuseOptions(target_face=1)
    with pytest.raises(FaceIndexInvalid) as caught:
        engine.fuse(photo("astronaut"), photo("astronaut"), options)
    assert caught.value.detail == {"image": image, "index": 1, "faces": 1, "field": image}


def test_a_face_of_a_few_pixels_is_refused_with_its_size(engine: Engine, photo: Photo, astronaut: Pixels) -> None:
    small = png(np.asarray(cv2.resize(astronaut, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA), np.uint8))
    with pytest.raises(FaceTooSmall) as caught:
        engine.fuse(photo("grace_hopper"), small)
    assert caught.value.detail["image"] == "target"
    assert 20 < int(str(caught.value.detail["size"])) < 34


@pytest.mark.parametrize(("name", "index"), [("turned_man", 0), ("group", 2)])
def test_a_source_turned_away_is_refused(engine: Engine, photo: Photo, name: str, index: int) -> None:
    with pytest.raises(FacePoseUnsupported) as caught:
        engine.fuse(photo(name), photo("astronaut"), FuseOptions(source_face=index))
    assert caught.value.detail["image"] == "source"


def test_a_target_turned_as_far_is_still_fused(engine: Engine, photo: Photo) -> None:
    assert len(engine.fuse(photo("astronaut"), photo("turned_man")).faces) == 1


def test_a_face_cut_by_the_edge_is_refused(engine: Engine, photo: Photo, astronaut: Pixels) -> None:
    face = engine.faces(photo("astronaut")).faces[0]
    cut = np.ascontiguousarray(astronaut[:, round(face.box.x + 0.35 * face.box.width) :])
    with pytest.raises(FaceOutOfFrame) as caught:
        engine.fuse(photo("grace_hopper"), png(cut))
    assert caught.value.detail["image"] == "target"


def test_timings_and_models_are_reported(engine: Engine, photo: Photo, models: Mapping[str, ModelFiles]) -> None:
    fused = engine.fuse(photo("astronaut"), photo("grace_hopper"))
    assert list(fused.timings_ms) == STEPS
    assert all(value >= 0 for value in fused.timings_ms.values())
    assert fused.models["face_landmark"] == models["face_landmark"].version


def test_the_clock_is_the_one_given(models: Mapping[str, ModelFiles], photo: Photo) -> None:
    ticks = iter(range(1000))
    fused = build_engine(models, clock=lambda: float(next(ticks))).fuse(photo("astronaut"), photo("grace_hopper"))
    assert set(fused.timings_ms.values()) == {1000.0, 2000.0}  # what each photo needs runs twice


def test_a_checkpoint_can_end_the_work(engine: Engine, photo: Photo) -> None:
    seen: list[str] = []

    def stop(step: str, share: float) -> None:
        seen.append(step)
        if step == "align":
            raise TimeoutError

    with pytest.raises(TimeoutError):
        engine.fuse(photo("astronaut"), photo("grace_hopper"), checkpoint=stop)
    each = ["decode", "detect", "landmarks", "prepare"]
    assert seen == [*each, *each, "align"]


def test_drawing_marks_the_face_and_keeps_the_format(engine: Engine, photo: Photo) -> None:
    for name in ("astronaut", "grace_hopper"):
        before, after = decode(photo(name)), decode(engine.draw(photo(name)).image)
        assert after.type is before.type
        assert after.pixels.shape == before.pixels.shape
        assert cv2.PSNR(after.pixels, before.pixels) < 30


def test_a_missing_model_is_named(models: Mapping[str, ModelFiles]) -> None:
    with pytest.raises(ModelUnknown) as caught:
        build_engine({name: model for name, model in models.items() if name != "face_landmark"})
    assert caught.value.detail["name"] == "face_landmark"
