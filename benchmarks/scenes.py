"""Targets of a known size with a face of a known size: a sample photo scaled, on a background as busy as a camera's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.types import Pixels

NOISE_LEVELS = 4  # of a camera: flat areas would make decoding and encoding cheaper than they are
JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Scene:
    """One target.

    Attributes:
        width: px.
        height: px.
        face: Short side of its one face, px.
    """

    width: int
    height: int
    face: int

    @property
    def name(self) -> str:
        """Size and face."""
        return f"{self.width * self.height / 1e6:.0f} MP, {self.face} px face"

    @property
    def decoded_bytes(self) -> int:
        """Of its pixels."""
        return 3 * self.width * self.height


def render(scene: Scene, photo: bytes, engine: Engine) -> bytes:
    """The scene as a JPEG.

    Args:
        scene: What is wanted.
        photo: A sample with one face.
        engine: Measures that face.
    """
    (face,) = engine.faces(photo).faces
    pixels = decode(photo).pixels
    scale = scene.face / face.box.short_side
    person = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    person = person[: scene.height, : scene.width]
    height, width = person.shape[:2]
    canvas = cv2.GaussianBlur(cv2.resize(pixels, (scene.width, scene.height)), (0, 0), scene.width / 40)
    y, x = (scene.height - height) // 2, (scene.width - width) // 2
    canvas[y : y + height, x : x + width] = person
    return _photographed(np.asarray(canvas, np.uint8))


def _photographed(pixels: Pixels) -> bytes:
    noise = np.random.default_rng(1).integers(-NOISE_LEVELS, NOISE_LEVELS + 1, pixels.shape, np.int16)
    noisy = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
