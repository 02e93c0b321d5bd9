"""Tells which pixels of a straightened face are hidden by a thing before it, by a small convolutional network.

The coefficients (``occlusion.json``) are fitted to things drawn before faces by ``benchmarks/quality/learn.py``; what
they are and what they are made from is in ``docs/decisions/0017-fitted-numbers.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import cv2
import numpy as np

from facefleet.engine.mesh import canonical
from facefleet.engine.steps import topology
from facefleet.engine.steps.resample import shrunk
from facefleet.engine.types import Floats, Pixels

_SCALE = 1.6  # px of the picture that is read by px of the frame, at most; two would alias
_DECIMALS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """``x · weights + bias``.

    Attributes:
        weights: ``(N, M)``.
        bias: ``(M,)``.
    """

    weights: Floats
    bias: Floats

    def __call__(self, values: Floats) -> Floats:
        """``(…, M)`` of ``(…, N)``."""
        return np.asarray(values @ self.weights + self.bias, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What the network computed on the way; ``learn.py`` needs it for the gradients.

    Attributes:
        inputs: Of each layer by its name.
        shown: Rectified outputs of the hidden layers by their names.
        logits: ``(B, HEIGHT / 2, WIDTH / 2, 4)``, of the four pixels that lie in each.
    """

    inputs: Mapping[str, Floats]
    shown: Mapping[str, Floats]
    logits: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Three convolutions of 3 × 3 at a half, a quarter and an eighth of the resolution, joined pixel by pixel.

    The form is that of Ronneberger et al., "U-Net" (2015), with a mean over the whole face beside the three.

    Attributes:
        fine: Sees colours of the neighbourhood; and, by the layer ``words``, what is known of the place.
        words: Has no bias of its own.
        middle: Sees ``fine`` at half its resolution.
        coarse: Sees ``middle`` at half its resolution.
        joined: Sees all three and the mean of ``coarse``.
        out: Four pixels of each.
    """

    fine: Layer
    words: Floats
    middle: Layer
    coarse: Layer
    joined: Layer
    out: Layer

    def traced(self, detail: Floats, words: Floats) -> Trace:
        """Of ``B`` faces; see ``canonical.described``."""
        around = neighbours(detail)
        fine = _rectified(self.fine(around) + words @ self.words)
        around_fine = neighbours(halved(fine))
        middle = _rectified(self.middle(around_fine))
        around_middle = neighbours(halved(middle))
        coarse = _rectified(self.coarse(around_middle))
        mean = np.broadcast_to(coarse.mean(axis=(1, 2), keepdims=True), fine.shape)
        together = np.concatenate([fine, doubled(middle), doubled(doubled(coarse)), mean], axis=3)
        joined = _rectified(self.joined(together))
        inputs = {
            "fine": around, "words": words, "middle": around_fine, "coarse": around_middle, "joined": together,
            "out": joined,
        }  # fmt: skip
        shown = {"fine": fine, "middle": middle, "coarse": coarse, "joined": joined}
        return Trace(inputs, shown, self.out(joined))

    def arrays(self) -> dict[str, Floats]:
        """All numbers by name."""
        layers = {name: getattr(self, name) for name in ("fine", "middle", "coarse", "joined", "out")}
        made = {name: layer.weights for name, layer in layers.items()}
        made |= {f"{name}_bias": layer.bias for name, layer in layers.items()}
        return made | {"words": self.words}

    @classmethod
    def of(cls, arrays: Mapping[str, Floats]) -> Network:
        """The reverse of ``arrays``."""
        layers = {name: Layer(arrays[name], arrays[f"{name}_bias"]) for name in ("fine", "middle", "coarse", "joined")}
        return cls(words=arrays["words"], out=Layer(arrays["out"], arrays["out_bias"]), **layers)


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """What was fitted.

    Attributes:
        template: ``(HEIGHT / 2, WIDTH / 4)``, lightness of half a mean face.
        network: Looks at each pixel and what is around it.
        areas: ``(COUNT + 1,)``, weights of what is known of an area (``evidence.py``) and a constant.
    """

    template: Floats
    network: Network
    areas: Floats

    def __call__(self, face: Pixels) -> Floats:
        """``(HEIGHT, WIDTH)`` float32, 0 to 1: how surely something lies before each pixel of a straightened face."""
        detail, words = canonical.described(face, unfolded(self.template))
        logits = spread_out(self.network.traced(detail[None], words[None]).logits)[0]
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)

    @property
    def count(self) -> int:
        """Numbers in all."""
        return self.template.size + self.areas.size + sum(each.size for each in self.network.arrays().values())

    def to_json(self) -> dict[str, object]:
        """Rounded to what matters."""
        arrays = {"template": self.template, "areas": self.areas} | self.network.arrays()
        return {name: np.round(values.astype(np.float64), _DECIMALS).tolist() for name, values in arrays.items()}


@cache
def judge() -> Judge:
    """Read once."""
    raw = json.loads(resources.files(__package__).joinpath("occlusion.json").read_text("ascii"))
    arrays = {name: np.array(values, np.float32) for name, values in raw.items()}
    return Judge(arrays.pop("template"), Network.of(arrays), arrays["areas"])


def unfolded(template: Floats) -> Floats:
    """``(HEIGHT / 2, WIDTH / 2)`` float32 from its half."""
    return np.concatenate([template, template[:, ::-1]], axis=1)


def scale_of(points: Floats) -> float:
    """How much smaller a picture may be for a face to be read from it, at most 1."""
    right, left = (points[point, :2] for point in topology.CHEEKS)
    return min(1.0, _SCALE * canonical.WIDTH / max(float(np.linalg.norm(left - right)), 1e-6))


def near(pixels: Pixels, points: Floats) -> Pixels:
    """The picture at that scale."""
    scale = scale_of(points)
    if scale == 1:
        return pixels
    return shrunk(pixels, (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))))


def neighbours(values: Floats) -> Floats:
    """``(B, h, w, 9 C)`` of ``(B, h, w, C)``: each pixel and the eight beside it, with zeros beyond the edge."""
    count, height, width, channels = values.shape
    wide = np.zeros((count, height + 2, width + 2, channels), np.float32)
    wide[:, 1:-1, 1:-1] = values
    return np.concatenate([wide[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=3)


def halved(values: Floats) -> Floats:
    """``(B, h / 2, w / 2, C)``, means of four."""
    rows = values[:, ::2] + values[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)


def doubled(values: Floats) -> Floats:
    """``(B, 2 h, 2 w, C)``, bilinear."""
    return resized(values, doubling(values.shape[1]), doubling(values.shape[2]))


def resized(values: Floats, rows: Floats, columns: Floats) -> Floats:
    """Each axis by its own matrix."""
    count, height, width, channels = values.shape
    tall = np.matmul(rows, values.reshape(count, height, width * channels)).reshape(-1, width, channels)
    return np.asarray(np.matmul(columns, tall), np.float32).reshape(count, len(rows), len(columns), channels)


@cache
def doubling(length: int) -> Floats:
    """``(2 · length, length)``, the matrix of bilinear enlargement."""
    unit = np.eye(length, dtype=np.float32)
    return np.asarray(cv2.resize(unit, (length, 2 * length), interpolation=cv2.INTER_LINEAR), np.float32)


def spread_out(fours: Floats) -> Floats:
    """``(B, 2 h, 2 w)`` of ``(B, h, w, 4)``."""
    count, height, width, _ = fours.shape
    return fours.reshape(count, height, width, 2, 2).transpose(0, 1, 3, 2, 4).reshape(count, 2 * height, 2 * width)


def _rectified(values: Floats) -> Floats:
    return np.asarray(np.maximum(values, 0, out=values), np.float32)
