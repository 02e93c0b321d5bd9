"""Another swapper in the mesh's place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.engine.aging.ager import DetailAger
from facefleet.engine.build import FULL_RANGE, LANDMARK, SHORT_RANGE
from facefleet.engine.cache import Cache
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.inspector import NoInspection
from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.steps.blend import Layer
from facefleet.engine.steps.detect import Detector
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.steps.region import Region, region_of
from facefleet.engine.swapper import Lap
from facefleet.engine.types import Face, ModelFiles, Pixels, Portrait
from facefleet.media.sniff import Limits
from facefleet.options import FuseOptions


@dataclass(frozen=True, eq=False)
class Crop:
    """What this swapper keeps of a face; the engine knows nothing of ``pixels``."""

    face: Face
    region: Region
    pixels: Pixels
    held_bytes: int = 1000


class BrighterSwapper:
    """Makes the target's face a little brighter, whoever the source is."""

    steps = ("embed", "generate")

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.warmed = 0

    def prepare_source(self, portrait: Portrait) -> Crop:
        return self._crop(portrait, "source")

    def prepare_target(self, portrait: Portrait) -> Crop:
        return self._crop(portrait, "target")

    def swap(self, source: Crop, target: Crop, options: FuseOptions, lap: Lap) -> Layer:
        for step in self.steps:
            lap(step)
        brighter = np.asarray(cv2.add(target.pixels, np.full_like(target.pixels, 5)), np.uint8)
        share = np.ones(target.pixels.shape[:2], np.float32)
        return Layer(target.region, brighter, share, target.face, target.face.landmarks, target.pixels)

    def warm(self) -> None:
        self.warmed += 1

    def _crop(self, portrait: Portrait, role: str) -> Crop:
        self.prepared.append(role)
        region = region_of(portrait.face.landmarks, portrait.pixels.shape)
        return Crop(portrait.face, region, region.of(portrait.pixels).copy())


@pytest.fixture
def swapper() -> BrighterSwapper:
    return BrighterSwapper()


@pytest.fixture
def built(models: Mapping[str, ModelFiles], swapper: BrighterSwapper) -> Engine:
    full, short, landmark = (LiteRtSession(models[name]) for name in (FULL_RANGE, SHORT_RANGE, LANDMARK))
    return Engine(
        detector=Detector(full, short), landmarker=Landmarker(landmark), swapper=swapper, ager=DetailAger(),
        inspector=NoInspection(), versions={"brighter": "1"}, limits=Limits(), cache=Cache(64 << 20, 60.0),
    )  # fmt: skip


def test_another_swapper_needs_nothing_but_the_seam(built: Engine, photo: Photo) -> None:
    target = png(decode(photo("grace_hopper")).pixels)
    fused = built.fuse(photo("astronaut"), target)
    before, after = decode(target).pixels, decode(fused.picture.image).pixels
    region = region_of(fused.faces[0].landmarks, before.shape)
    change = after.astype(int) - before
    assert set(np.unique(region.of(np.asarray(change, np.uint8)))) <= set(range(6))
    assert float(region.of(np.asarray(change, np.uint8)).mean()) > 4.5
    assert [step for step in fused.timings_ms if step in ("embed", "generate", "align", "warp")] == [
        "embed",
        "generate",
    ]
    assert fused.models == {"brighter": "1"}


def test_what_another_swapper_prepared_is_kept(built: Engine, swapper: BrighterSwapper, photo: Photo) -> None:
    for _ in range(3):
        built.fuse(photo("astronaut"), photo("grace_hopper"))
    assert swapper.prepared == ["source", "target"] * 2, "kept when it comes again"


def test_another_swapper_is_warmed_with_the_engine(built: Engine, swapper: BrighterSwapper) -> None:
    built.warm()
    assert swapper.warmed == 1
