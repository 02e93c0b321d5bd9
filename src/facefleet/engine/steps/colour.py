"""The target's light on the source's skin: what to add to each pixel of the warped face, at the working size.

Two corrections, both measured on skin: mean and spread of L*a*b* (Reinhard et al., "Color Transfer between Images",
2001), then the difference of the low frequencies, which carries the target's shading.
"""

from __future__ import annotations

import cv2
import numpy as np

from facefleet.engine.types import Floats, Pixels

LIGHT_SIGMA = 0.13  # face widths
SPREAD_LOW, SPREAD_HIGH = 0.7, 1.15  # bounds of the contrast change between faces of like brightness
SPREAD_HIGHEST = 2.5  # beyond, noise would show
GREY = 2.0  # chroma of L*a*b* under which a photo is black and white
TINT_LOW = 0.3  # share of the hue change that a colourless pixel takes
_LIGHT_SHRINK = 4  # light is smooth: a quarter of the working size shows all of it


def correction(warped: Pixels, below: Pixels, weight: Floats, features: Floats, width: float) -> Floats:
    """What to add to the warped face.

    Args:
        warped: ``(h, w, 3)`` uint8 BGR, the source's face in place.
        below: The target there.
        weight: ``(h, w)`` float32, of each pixel in the measurement.
        features: ``(h, w)`` float32, 1 on eyes and brows.
        width: Of the face, px.

    Returns:
        ``(h, w, 3)`` float32 BGR levels.
    """
    own, target = _to_lab(warped), _to_lab(below)
    lab = _match_spread(own, target, weight)
    lab += _light(target - lab, weight, LIGHT_SIGMA * width)
    share = 1 - features * (1 - _tintable(own, weight))
    hue = own[..., 1:] + share[..., None] * (lab - own)[..., 1:]
    lab[..., 1:] = hue * min(1.0, _mean_chroma(target, weight) / GREY)  # a grey photo stays grey
    bgr = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
    return np.asarray(bgr * np.float32(255) - warped, np.float32)


def skin_light(pixels: Pixels, weight: Floats, width: float) -> Floats:
    """``(h, w, 3)`` float32 BGR levels: the image's skin without any detail, continued under brows and hair."""
    return _light(np.asarray(pixels, np.float32), weight, LIGHT_SIGMA / 2 * width)


def _to_lab(pixels: Pixels) -> Floats:
    return np.asarray(cv2.cvtColor(np.asarray(pixels, np.float32) / np.float32(255), cv2.COLOR_BGR2LAB), np.float32)


def _match_spread(warped: Floats, target: Floats, skin: Floats) -> Floats:
    mean, spread = _moments(warped, skin)
    target_mean, target_spread = _moments(target, skin)
    # Contrast goes with brightness: a face that becomes ten times darker needs a tenth of its contrast.
    brightness = float(target_mean[0] / max(float(mean[0]), 1.0))
    low = min(SPREAD_LOW, 0.8 * brightness)
    high = min(SPREAD_HIGHEST, max(SPREAD_HIGH, 0.8 * brightness))
    gain = np.clip(target_spread / np.maximum(spread, 1e-3), low, high)
    return np.asarray((warped - mean) * gain + target_mean, np.float32)


def _tintable(lab: Floats, weight: Floats) -> Floats:
    """``(h, w)`` share of the hue change that a pixel takes: what suits skin turns white eyes and black brows blue."""
    skin = _mean_chroma(lab, weight)
    if skin < GREY:  # in a grey photo, being grey says nothing
        return np.ones(weight.shape, np.float32)
    chroma = cv2.GaussianBlur(np.hypot(lab[..., 1], lab[..., 2]), (0, 0), 1)
    return np.asarray(np.clip(chroma / (0.75 * skin), TINT_LOW, 1), np.float32)


def _mean_chroma(lab: Floats, weight: Floats) -> float:
    return float((np.hypot(lab[..., 1], lab[..., 2]) * weight).sum() / max(float(weight.sum()), 1e-6))


def _moments(lab: Floats, weight: Floats) -> tuple[Floats, Floats]:
    flat, w = lab.reshape(-1, 3), weight.ravel() / max(float(weight.sum()), 1e-6)
    mean = w @ flat
    spread = np.sqrt(np.maximum(w @ (flat - mean) ** 2, 0))
    return np.asarray(mean, np.float32), np.asarray(spread, np.float32)


def _light(difference: Floats, skin: Floats, sigma: float) -> Floats:
    """Low frequencies of a difference, taken from skin alone (normalised convolution) and continued over the rest."""
    height, width = skin.shape
    size = max(8, width // _LIGHT_SHRINK), max(8, height // _LIGHT_SHRINK)
    sigma = max(0.5, sigma * size[0] / width)
    weighted = np.dstack([difference * skin[..., None], skin])
    small = cv2.GaussianBlur(cv2.resize(weighted, size, interpolation=cv2.INTER_AREA), (0, 0), sigma)
    light = small[..., :3] / (small[..., 3:] + np.float32(1e-3))
    return np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
