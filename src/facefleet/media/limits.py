"""Turns the settings of images into the limits of every photo, for gateway, worker and command line alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facefleet.media.sniff import Limits

if TYPE_CHECKING:  # loading the settings takes time that `facefleet --help` need not pay
    from facefleet.config import Images


def image_limits(images: Images) -> Limits:
    """The limits of one photo that the settings give."""
    return Limits(images.max_bytes, images.max_pixels, images.max_side, images.min_side)
