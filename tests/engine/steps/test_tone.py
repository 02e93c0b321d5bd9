"""Prints of one hue keep their one hue; photos in colour are none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import jpeg

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.steps.tone import find_tone, without_colour
from facefleet.engine.types import Box, Floats, Pixels

# Shadows, middle and lights of each print, BGR.
PRINTS = {
    "sepia": ((10, 20, 30), (70, 105, 135), (190, 225, 240)),
    "selenium": ((20, 8, 16), (128, 112, 122), (245, 235, 240)),
    "cyanotype": ((60, 20, 5), (170, 110, 50), (250, 245, 225)),
    "duotone": ((120, 20, 40), (120, 90, 160), (130, 220, 250)),
    "faded": ((60, 75, 90), (120, 140, 160), (190, 210, 225)),
    "night vision": ((0, 5, 0), (60, 150, 50), (170, 255, 160)),
}
OFF = 8.0  # levels of a* and b* from the colour of the print at that brightness


def printed(photo: bytes, kind: str, noise: float = 3.0) -> Pixels:
    """A photo as a print: grain first, then the colours; a faded one has faded more at one side."""
    grey = cv2.cvtColor(decode(photo).pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    grey += np.random.default_rng(7).normal(0, noise, grey.shape)
    tones = np.array(PRINTS[kind], float)
    pixels = np.stack([np.interp(grey, (0, 128, 255), tones[:, channel]) for channel in range(3)], axis=-1)
    if kind == "faded":
        pixels += np.linspace(0, 5, grey.shape[1])[None, :, None] * np.array([1, 0, -1])
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def off_tone(pixels: Pixels, curve: Pixels, box: Box) -> float:
    """Share of the face that has another colour than the print at its brightness."""
    face = pixels[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)]
    away: Floats = cv2.cvtColor(face, cv2.COLOR_BGR2LAB).astype(np.float32)
    away -= cv2.cvtColor(cv2.LUT(without_colour(face), curve.reshape(1, 256, 3)), cv2.COLOR_BGR2LAB)
    return float((np.linalg.norm(away[..., 1:], axis=-1) > OFF).mean())


@pytest.mark.parametrize("kind", PRINTS)
@pytest.mark.parametrize("source", ["astronaut", "surprised_woman"])
def test_a_face_in_a_print_of_one_hue_has_that_hue(engine: Engine, photo: Photo, kind: str, source: str) -> None:
    before = jpeg(printed(photo("turned_woman"), kind), 85)
    print_ = decode(before).pixels
    fusion = engine.fuse(photo(source), before)
    tone = find_tone(print_)
    assert tone is not None
    box = fusion.faces[0].box
    after = decode(fusion.picture.image).pixels
    assert off_tone(after, tone.colours, box) <= off_tone(print_, tone.colours, box) + 0.003
    changed = np.abs(after.astype(int) - print_).max(axis=-1)
    assert changed.max() > 20, "a face was put in"


def test_a_face_in_green_light_of_night_vision_is_found(engine: Engine, photo: Photo) -> None:
    faces = engine.faces(jpeg(printed(photo("grace_hopper"), "night vision", noise=8.0))).faces
    wanted = engine.faces(photo("grace_hopper")).faces[0].box
    assert len(faces) == 1
    assert abs(faces[0].box.x - wanted.x) + abs(faces[0].box.y - wanted.y) < 0.1 * wanted.width


def test_no_photo_in_colour_is_taken_for_a_print(engine: Engine, samples: Mapping[str, Path]) -> None:
    for path in samples.values():
        pixels = decode(path.read_bytes()).pixels
        for face in engine.faces(path.read_bytes()).faces[:3]:
            top, left = max(0, int(face.box.y)), max(0, int(face.box.x))
            crop = pixels[top : int(face.box.y + face.box.height), left : int(face.box.x + face.box.width)]
            assert find_tone(pixels, np.ascontiguousarray(crop)) is None


def test_black_and_white_has_no_tone_and_a_tone_keeps_brightness(photo: Photo) -> None:
    assert find_tone(without_colour(decode(photo("astronaut")).pixels)) is None
    pixels = printed(photo("astronaut"), "cyanotype")
    tone = find_tone(pixels)
    assert tone is not None
    toned = tone.coloured(decode(photo("astronaut")).pixels)
    grey = without_colour(decode(photo("astronaut")).pixels)[..., 0].astype(int)
    away = np.abs(without_colour(toned)[..., 0] - grey)
    assert away[(grey > 40) & (grey < 220)].max() <= 2
