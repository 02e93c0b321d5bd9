"""Recovers burnt-out skin: a face is made darker, and what its photo has clipped is continued above the old white.

A camera clips the channels of skin one by one, red first. Where one is left it says how bright the pixel is, and the
skin around it in which colour; where none is left, both are continued from around. All of it is measured in linear
light (IEC 61966-2-1), at half the working size, and only on the face itself: not on what ends in a sharp edge nearly
all round, as white cloth and paper do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.mesh.masks import Parts, is_mask_worn
from facefleet.engine.mesh.median import median, quantile
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

CLIPPED = 250  # level from which a channel says no more than "at least so much"
LEAST_CLIPPED, FULLY_CLIPPED = 0.0005, 0.01  # share of the skin without two channels from which it is recovered, wholly
LEFT_LOW, LEFT_HIGH = 238.0, 252.0  # levels between which a channel loses its say
DARKER_HIGHEST = 3.0  # linear light; more would leave too few levels for the rest
BRIGHTEST = 0.995  # quantile of the recovered skin that is just not clipped again
LEAST_WHOLE = 12  # px of skin from which its colour is read off
FAR_COLOUR = 0.35  # log from the usual colour at which a pixel is not skin
COLOUR_SIGMA = 1.25  # px
KNOWN = 0.6  # sum of what the channels say from which a pixel's brightness is known
HIGHEST = 0.9  # log of linear light over white that is found at most
LEAST_MASK = 0.05  # share of the lower face without two channels under which nobody wears a burnt-out mask
WHITE_COLOUR = 0.3  # share of the skin's colour that teeth and the white of eyes have
SMALL = 0.05  # share of the skin up to which a burnt area may have a sharp edge, as gloss and a cheek behind a lens
STEEP = 30.0  # levels a px at the edge of a thing
SOFT_EDGE = 0.25  # share of its edge that is less steep where it is skin that burnt out
_SHRINK = 2  # working px to one in which this is measured
_SAY = (0.25, 1.0, 0.6)  # of blue, green and red about brightness; blue is noisy
_USUAL_COLOUR = np.array([-0.45, 0.0, 0.45], np.float32)  # of skin where nothing is known
_FULLY_LEFT = np.float32(4)  # log, more than any skin is under white
_LEVELS = np.arange(256, dtype=np.float64) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)
_LOGS = np.log(np.maximum(_LINEAR, 0.004)).astype(np.float32)
_LEFT = 1 - topology.smoothstep((np.arange(256, dtype=np.float32) - LEFT_LOW) / (LEFT_HIGH - LEFT_LOW))

Channels = Sequence[Floats]
"""Blue, green and red, each ``(h, w)``; NumPy is slow along an axis of three."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Recovery:
    """How a face is made darker and its clipped channels are found again.

    Attributes:
        darker: Linear light of the photo over that of the recovered face, over 1.
        colour: Log of each channel of the skin over their mean.
        brightness: ``(h, w)`` float32, mean of the channels' logs where none of them is left.
        share: ``(h, w)`` float32, 0 where nothing is recovered.
    """

    darker: float
    colour: Channels
    brightness: Floats
    share: Floats

    def recovered(self, pixels: Pixels) -> Pixels:
        """``(H, W, 3)`` uint8 BGR of any size over the same region, in darker light and with what was clipped."""
        result = exposed(pixels, 1 / self.darker)
        x, y, width, height = cv2.boundingRect(np.asarray(_highest(pixels) > LEFT_LOW, np.uint8))
        cut = np.s_[y : y + height, x : x + width]
        if not width:
            return result
        size = pixels.shape[1], pixels.shape[0]
        colour = [_enlarged(each, size)[cut] for each in self.colour]
        brightness, share = (_enlarged(each, size)[cut] for each in (self.brightness, self.share))
        logs, left = _planes(pixels[cut], _LOGS), _planes(pixels[cut], _LEFT)
        darker = cv2.split(result[cut])
        for channel, found in enumerate(_found(logs, left, colour, brightness)):
            weight = (1 - left[channel]) * share
            levels = self._levels(logs[channel] + weight * (found - logs[channel]))
            darker[channel][:] = np.where(weight > 0, levels, darker[channel])
        result[cut] = cv2.merge(darker)
        return result

    def _levels(self, logs: Floats) -> Pixels:
        """Levels of logs of linear light, both made darker; none of them is near black, where sRGB is a line."""
        scale = 1.055 * 255 * self.darker ** (-1 / 2.4)
        return np.asarray(cv2.convertScaleAbs(cv2.exp(logs * np.float32(1 / 2.4)), alpha=scale, beta=-0.055 * 255))


def find_recovery(small: Pixels, parts: Parts) -> Recovery | None:
    """How to recover a face; None where no skin is clipped but in one channel, as in many a photo that looks well.

    Args:
        small: ``(h, w, 3)`` uint8 BGR, at the working size.
        parts: Of the same image.
    """
    skin = np.asarray(cv2.bitwise_and(parts.face, 255 - parts.features), np.uint8)
    second = _second(small)
    clipped = _clipped(second, skin)
    if clipped <= LEAST_CLIPPED:
        return None
    if _clipped(second, parts.lower) > LEAST_MASK and is_mask_worn(small, parts):  # white cloth would turn into skin
        return None
    size = max(2, small.shape[1] // _SHRINK), max(2, small.shape[0] // _SHRINK)
    pixels, on_skin, in_face, coloured = (
        np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA), np.uint8)
        for each in (small, skin, parts.face, _coloured(parts))
    )
    amount = min(1.0, (clipped - LEAST_CLIPPED) / (FULLY_CLIPPED - LEAST_CLIPPED))
    share = _share_of(in_face) * np.float32(amount)
    share[_things(pixels, on_skin > 127)] = 0
    return _recovery(pixels, _share_of(on_skin), WHITE_COLOUR + (1 - WHITE_COLOUR) * _share_of(coloured), share)


def exposed(pixels: Pixels, gain: float) -> Pixels:
    """The same in ``gain`` times the light, clipped."""
    light = np.minimum(_LINEAR * gain, 1)
    levels = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(cv2.LUT(pixels, np.round(levels * 255).astype(np.uint8)), np.uint8)


def continued(values: Floats, weight: Floats) -> Floats:
    """Values where they weigh something, and a smooth surface through these elsewhere (pull-push).

    Args:
        values: ``(h, w, channels)``, at least two channels.
        weight: ``(h, w)``, 0 to 1.
    """
    height, width = weight.shape
    weighted = values * weight[..., None]
    if min(height, width) <= 4:
        mean = weighted.sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
        return np.broadcast_to(mean, values.shape).astype(np.float32)
    half = (width + 1) // 2, (height + 1) // 2
    summed, total = (np.asarray(cv2.resize(each, half, interpolation=cv2.INTER_AREA)) for each in (weighted, weight))
    coarse = continued(
        np.asarray(summed / np.maximum(total, 1e-6)[..., None], np.float32), np.minimum(total * np.float32(4), 1)
    )
    wide = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return wide + weight[..., None] * (values - wide)


def _recovery(pixels: Pixels, skin: Floats, coloured: Floats, share: Floats) -> Recovery | None:
    logs, left = _planes(pixels, _LOGS), _planes(pixels, _LEFT)
    whole = np.minimum(np.minimum(left[0], left[1]), left[2]) * skin
    colour = [each * coloured for each in cv2.split(_skin_colour(logs, whole))]
    brightness, known = _told(logs, left, colour)
    twice = np.asarray(cv2.merge([brightness, brightness]), np.float32)  # OpenCV drops a single channel's axis
    filled = continued(twice, known * skin)[..., 0]
    brightest = (np.maximum(*_found(logs, left, colour, filled)[1:]) * share)[(whole < 0.5) & (skin > 0.5)]
    if not brightest.size:
        return None
    darker = float(np.exp(quantile(brightest, BRIGHTEST)))
    return Recovery(min(darker, DARKER_HIGHEST), colour, np.ascontiguousarray(filled), share) if darker > 1 else None


def _skin_colour(logs: Channels, weight: Floats) -> Floats:
    """``(h, w, 3)``, logs of the channels over their mean where no channel is clipped, bright skin before dark skin.

    It is smoothed, and continued from there.
    """
    mean = np.asarray((logs[0] + logs[1] + logs[2]) / np.float32(3))
    colour = [each - mean for each in logs]
    whole = weight > 0.5
    if np.count_nonzero(whole) < LEAST_WHOLE:
        return np.asarray(np.broadcast_to(_USUAL_COLOUR, (*mean.shape, 3)), np.float32)
    usual = [float(median(each[whole])) for each in colour]
    away = [np.abs(each - middle) for each, middle in zip(colour, usual, strict=True)]
    weight = weight * cv2.exp(mean) * (np.maximum(np.maximum(away[0], away[1]), away[2]) < FAR_COLOUR)
    blurred = cv2.GaussianBlur(cv2.merge([*(each * weight for each in colour), weight]), (0, 0), COLOUR_SIGMA)
    *sums, total = cv2.split(blurred)
    smooth = [(each + 1e-3 * middle) / (total + np.float32(1e-3)) for each, middle in zip(sums, usual, strict=True)]
    height, width = mean.shape
    half = max(1, width // 2), max(1, height // 2)  # it is smooth already
    sparse, known = (
        np.asarray(cv2.resize(each, half, interpolation=cv2.INTER_AREA), np.float32)
        for each in (cv2.merge(smooth), np.minimum(total * np.float32(8), 1))
    )
    return _enlarged(continued(sparse, known), (width, height))


def _told(logs: Channels, left: Channels, colour: Channels) -> tuple[Floats, Floats]:
    """Mean of the channels' logs by those that are left, and how well it is known, 0 to 1."""
    say = [each * np.float32(share) for each, share in zip(left, _SAY, strict=True)]
    total = say[0] + say[1] + say[2]
    told = sum(share * (log - own) for share, log, own in zip(say, logs, colour, strict=True))
    return np.asarray(told / np.maximum(total, 1e-3), np.float32), np.minimum(total * np.float32(1 / KNOWN), 1)


def _found(logs: Channels, left: Channels, colour: Channels, brightness: Floats) -> Channels:
    """Logs of the channels by what is left of them, not under those of the photo."""
    told, known = _told(logs, left, colour)
    mean = brightness + known * (told - brightness)
    for own, share in zip(colour, left, strict=True):  # each clipped channel was white at least
        mean = np.maximum(mean, -own - _FULLY_LEFT * share)
    return [np.maximum(log, _limited(np.maximum(mean + own, 0))) for log, own in zip(logs, colour, strict=True)]


def _limited(above: Floats) -> Floats:
    """As it is when small, and never over ``HIGHEST``: what is found far above white is found badly."""
    return np.asarray(above / np.sqrt(1 + np.square(above * np.float32(1 / HIGHEST))), np.float32)


def _coloured(parts: Parts) -> Pixels:
    """``(h, w)`` of 0 and 255: where a pixel has the colour of skin, not inside the eyes and between the lips."""
    return np.asarray(255 - np.maximum(parts.mouth, parts.eyes), np.uint8)


def _share_of(mask: Pixels) -> Floats:
    return np.asarray(mask, np.float32) / np.float32(255)


def _things(pixels: Pixels, skin: Mask) -> Mask:
    """``(h, w)``, large white areas whose edge is that of a thing: sharp nearly all round."""
    blue, green, red = cv2.split(pixels)
    lowest = np.asarray(cv2.min(cv2.min(blue, green), red), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.asarray((lowest >= LEFT_LOW) & skin, np.uint8))
    things = np.zeros(skin.shape, np.bool_)
    large = [one for one in range(1, count) if stats[one, cv2.CC_STAT_AREA] > SMALL * np.count_nonzero(skin)]
    if not large:
        return things
    across, down = (cv2.Sobel(lowest, cv2.CV_32F, *order, ksize=1, scale=0.5) for order in ((1, 0), (0, 1)))
    gentle = cv2.magnitude(across, down) < STEEP
    for one in large:
        area = np.asarray(labels == one, np.uint8)
        edge = (cv2.dilate(area, np.ones((3, 3), np.uint8)) > area) & skin
        if edge.any() and float(gentle[edge].mean()) < SOFT_EDGE:
            things |= cv2.dilate(area, np.ones((3, 3), np.uint8)) > 0
    return things


def _planes(pixels: Pixels, table: Floats) -> Channels:
    return [np.asarray(each, np.float32) for each in cv2.split(cv2.LUT(pixels, table))]


def _highest(pixels: Pixels) -> Pixels:
    blue, green, red = cv2.split(pixels)
    return np.asarray(cv2.max(cv2.max(blue, green), red), np.uint8)


def _clipped(channel: Pixels, part: Pixels) -> float:
    """Share of a part, 0 where it is empty."""
    within = channel[part > 0]
    return np.count_nonzero(within >= CLIPPED) / max(1, within.size)


def _second(pixels: Pixels) -> Pixels:
    """The second highest channel."""
    blue, green, red = cv2.split(pixels)
    return np.asarray(cv2.max(cv2.min(blue, green), cv2.min(cv2.max(blue, green), red)), np.uint8)


def _enlarged(field: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR), np.float32)
