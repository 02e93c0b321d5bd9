"""What must hold of every fusion, whoever the two people are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import jpeg, png

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.align import align, signed_areas
from facefleet.engine.mesh.swapper import MeshSwapper
from facefleet.engine.steps.topology import CORE_SKIN, LIPS, LIPS_INNER, LIPS_OUTER, OVAL, topology
from facefleet.engine.types import Face, Pixels, Portrait
from facefleet.errors.input import FusionQualityLow
from facefleet.options import FuseOptions

PEOPLE = (
    "astronaut",
    "grace_hopper",
    "portrait_man",
    "smiling_woman",
    "surprised_woman",
    "turned_woman",
    "smiling_man",
)
OPEN, CLOSED = "surprised_woman", "turned_woman"
PAIRS = list(permutations(PEOPLE, 2))[::5]


def fused(engine: Engine, source: bytes, target: bytes, options: FuseOptions) -> tuple[Pixels, Pixels, Face]:
    """Before, after and the face that was replaced."""
    flat = png(decode(target).pixels)
    result = engine.fuse(source, flat, options)
    return decode(flat).pixels, decode(result.picture.image).pixels, result.faces[0]


def inside(face: Face, shape: tuple[int, ...], loop: tuple[int, ...] = OVAL) -> np.ndarray:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(face.landmarks[list(loop), :2]).astype(np.int32)], 1)
    return mask > 0


def psnr(before: Pixels, after: Pixels) -> float:
    """Peak signal-to-noise ratio, dB."""
    error = float(((before.astype(float) - after) ** 2).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def moved(engine: Engine, pixels: Pixels, face: Face, points: tuple[int, ...]) -> float:
    """Mean distance of some points from where they were, in distances between the eyes."""
    now = min(
        engine.faces(png(pixels)).faces, key=lambda found: abs(found.box.x - face.box.x) + abs(found.box.y - face.box.y)
    )
    chosen = list(points)
    away = np.linalg.norm(now.landmarks[chosen, :2] - face.landmarks[chosen, :2], axis=1).mean()
    return float(away / np.linalg.norm(face.landmarks5[0] - face.landmarks5[1]))


@pytest.mark.parametrize("shape", [0.0, 1.0])
@pytest.mark.parametrize("pair", PAIRS[:4], ids="-".join)
def test_no_strength_is_the_target_to_the_last_bit(
    engine: Engine, photo: Photo, pair: tuple[str, str], shape: float
) -> None:
    before, after, _ = fused(engine, photo(pair[0]), photo(pair[1]), FuseOptions(strength=0.0, shape=shape))
    assert np.array_equal(before, after)


# Grace Hopper's pupils are red in the photo, and that is mended.
@pytest.mark.parametrize("name", [name for name in PEOPLE if name != "grace_hopper"])
def test_a_face_fused_with_itself_is_itself(engine: Engine, photo: Photo, name: str) -> None:
    before, after, face = fused(engine, photo(name), photo(name), FuseOptions())
    mask = inside(face, before.shape)
    assert psnr(before[mask], after[mask]) >= 45


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_the_points_of_the_result_lie_where_they_should(engine: Engine, photo: Photo, pair: tuple[str, str]) -> None:
    _, after, face = fused(engine, photo(pair[0]), photo(pair[1]), FuseOptions(shape=0.0))
    # The model misreads the chin under a wide open mouth, in the target as in the result.
    limit = 0.06 if pair[1] == OPEN else 0.05
    assert moved(engine, after, face, tuple(range(468))) < limit
    _, after, face = fused(engine, photo(pair[0]), photo(pair[1]), FuseOptions())
    assert moved(engine, after, face, OVAL) < limit


@pytest.mark.parametrize("pair", PAIRS[1:4], ids="-".join)
def test_pixels_outside_the_region_are_identical(engine: Engine, photo: Photo, pair: tuple[str, str]) -> None:
    before, after, face = fused(engine, photo(pair[0]), photo(pair[1]), FuseOptions())
    outside = ~inside(face, before.shape)
    outside &= cv2.dilate(inside(face, before.shape).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    assert np.array_equal(before[outside], after[outside])
    assert not np.array_equal(before, after)


def test_the_number_of_threads_changes_no_pixel(engine: Engine, photo: Photo) -> None:
    pairs = [("smiling_woman", "portrait_man"), ("grace_hopper", "smiling_man")]
    usual = cv2.getNumThreads()
    results: dict[int, list[bytes]] = {}
    try:
        for threads in (1, 2, 5, 8):
            cv2.setNumThreads(threads)
            with ThreadPoolExecutor(threads) as callers:
                made = list(
                    callers.map(lambda pair: engine.fuse(photo(pair[0]), photo(pair[1])).picture.image, pairs * 4)
                )
            results[threads] = made
    finally:
        cv2.setNumThreads(usual)
    assert all(made == results[1] for made in results.values())


@pytest.mark.parametrize("shape", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_no_shape_folds_the_lips(engine: Engine, photo: Photo, shape: float) -> None:
    triangles = topology().triangles
    lips = triangles[np.isin(triangles, LIPS).all(axis=1)]
    faces = [engine.faces(photo(name)).faces[0] for name in PEOPLE]
    for source, target in permutations(faces, 2):
        before = signed_areas(target.landmarks[:, :2], lips)
        after = signed_areas(align(source, target, shape).geometry[:, :2], lips)
        facing = before > np.median(np.abs(before)) * 0.1
        assert (after[facing] > 0).all()


@pytest.mark.parametrize(("source", "target"), [(OPEN, CLOSED), (CLOSED, OPEN), (OPEN, "grace_hopper")])
def test_a_mouth_that_differs_too_much_stays_the_targets(
    engine: Engine, photo: Photo, source: str, target: str
) -> None:
    before, after, face = fused(engine, photo(source), photo(target), FuseOptions())
    opening = inside(face, before.shape, LIPS_INNER if target == OPEN else LIPS_OUTER)
    # Tongue, teeth and the dark of an open mouth, or lips that are closed, are the target's own.
    assert np.abs(before[opening].astype(int) - after[opening]).mean() < 4


def side_lit(pixels: Pixels, colour: tuple[float, float, float]) -> Pixels:
    """One side lit by a coloured lamp, BGR factors, fading to nothing at the other."""
    ramp = np.linspace(1, 0, pixels.shape[1], dtype=np.float32)[None, :, None]
    return np.asarray(np.clip(pixels * (1 + ramp * (np.array(colour, np.float32) - 1)), 0, 255), np.uint8)


@pytest.mark.parametrize("colour", [(1.4, 0.8, 0.5), (0.4, 0.7, 1.2), (0.3, 0.3, 0.3)], ids=["blue", "orange", "dark"])
def test_light_follows_the_target(engine: Engine, photo: Photo, colour: tuple[float, float, float]) -> None:
    plain = decode(photo("smiling_man")).pixels
    lit = side_lit(plain, colour)
    face = engine.faces(png(plain)).faces[0]
    after = decode(engine.fuse(photo("smiling_woman"), png(lit)).picture.image).pixels
    middle = int(face.landmarks[1, 0])
    for half in (slice(None, middle), slice(middle, None)):
        mask = inside(face, lit.shape)[:, half]
        assert after[:, half][mask].mean(axis=0) == pytest.approx(lit[:, half][mask].mean(axis=0), abs=12)


@pytest.mark.parametrize("name", ["surprised_woman", "astronaut"])
def test_a_source_in_lights_of_two_colours_leaves_most_of_them_behind(engine: Engine, photo: Photo, name: str) -> None:
    plain, target = decode(photo("smiling_woman")).pixels, photo(name)
    face = engine.faces(png(plain)).faces[0]
    spots = np.zeros(plain.shape[:2], np.float32)
    for point in (50, 280, 9, 18):  # both cheeks, between the brows, the chin
        x, y = np.round(face.landmarks[point, :2]).astype(int).tolist()
        cv2.circle(spots, (x, y), round(0.12 * face.box.width), 1, -1)
    lamps = cv2.GaussianBlur(spots, (0, 0), 0.06 * face.box.width)[..., None]
    orange, blue = np.array((0.6, 0.95, 1.1), np.float32), np.array((1.3, 0.9, 0.6), np.float32)
    lit = png(np.asarray(np.clip(plain * (orange + lamps * (blue - orange)), 0, 255), np.uint8))

    def unevenness(file: bytes) -> float:
        """Of blue over red on cheeks and nose."""
        pixels = cv2.GaussianBlur(decode(file).pixels, (0, 0), 3).astype(float) + 8
        mask = inside(engine.faces(file).faces[0], pixels.shape, CORE_SKIN)
        return float(np.log(pixels[..., 0] / pixels[..., 2])[mask].std())

    assert unevenness(lit) > 5 * unevenness(target)
    assert unevenness(engine.fuse(lit, target).picture.image) < unevenness(lit) / 3


def test_a_grey_target_stays_grey(engine: Engine, photo: Photo) -> None:
    grey = cv2.cvtColor(cv2.cvtColor(decode(photo("smiling_man")).pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    after = decode(engine.fuse(photo("astronaut"), png(np.asarray(grey, np.uint8))).picture.image).pixels.astype(int)
    assert (after.max(axis=2) - after.min(axis=2)).max() <= 2


def stressed(pixels: Pixels, how: str) -> Pixels:
    if how == "noise":
        return np.asarray(np.clip(pixels + np.random.default_rng(2).normal(0, 15, pixels.shape), 0, 255), np.uint8)
    if how == "blur":
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 3), np.uint8)
    if how == "jpeg":
        return decode(jpeg(pixels, 20)).pixels
    scale = int(how) / 190
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("how", ["noise", "blur", "jpeg", "36", "48", "60"])
def test_a_poor_target_is_fused_and_not_refused(engine: Engine, photo: Photo, how: str) -> None:
    target = png(stressed(decode(photo("smiling_man")).pixels, how))
    for source in ("astronaut", "smiling_woman", "portrait_man"):
        before, after, face = fused(engine, photo(source), target, FuseOptions())
        assert moved(engine, after, face, OVAL) < 0.08
        assert not np.array_equal(before, after)


def test_the_check_refuses_no_ordinary_pair(engine: Engine, photo: Photo) -> None:
    refused = []
    for pair in PAIRS:
        try:
            assert engine.fuse(photo(pair[0]), photo(pair[1])).strengths == (1.0,)
        except FusionQualityLow as error:
            refused.append((pair, error.detail))
    assert not refused


def test_a_prepared_face_serves_many_fusions_and_stays_as_it_was(engine: Engine, photo: Photo) -> None:
    swapper = MeshSwapper()
    source, target = (
        swapper.prepare_target(Portrait(decode(photo(name)).pixels, engine.faces(photo(name)).faces[0]))
        for name in ("smiling_woman", "smiling_man")
    )
    first = swapper.swap(source, target, FuseOptions(), lambda _: None)
    swapper.swap(target, source, FuseOptions(shape=1.0), lambda _: None)
    again = swapper.swap(source, target, FuseOptions(), lambda _: None)
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.share, again.share)
    assert 3 * source.region.width * source.region.height < source.held_bytes < 2_000_000
