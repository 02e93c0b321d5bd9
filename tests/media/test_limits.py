"""The limits of a photo are the settings of images, one for one."""

from __future__ import annotations

from dataclasses import asdict

from facefleet.config import Images
from facefleet.media.limits import image_limits
from facefleet.media.sniff import Limits


def test_each_setting_becomes_the_limit_of_its_name() -> None:
    images = Images(max_bytes=1_000, max_pixels=2_000, max_side=300, min_side=4)
    assert asdict(image_limits(images)) == images.model_dump()


def test_without_settings_the_limits_are_the_same() -> None:
    assert image_limits(Images()) == Limits()
