"""Fits the network that tells things from faces: stochastic gradient descent on scenes that change each time.

Gradients are written out by hand (no framework of machine learning is installed for so few numbers); steps are those of
Adam (Kingma and Ba, 2015). The same scenes and the same seed give the same numbers, bit by bit, on one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from benchmarks.quality.faces import Random

from facefleet.engine.mesh import canonical
from facefleet.engine.mesh.occlusion import Network, Trace, doubling, resized, spread_out
from facefleet.engine.types import Floats

CHANNELS, JOINED = 14, 16
BATCH, STEP, RISE = 24, 4e-3, 50  # scenes, size of a step, steps until it is reached
DECAY = 1e-4
Batch = tuple[Floats, Floats, Floats, Floats]  # detail, words, what is covered, weight of each pixel


def started(rng: Random) -> Network:
    """By chance, as He et al. (2015)."""
    shapes = {
        "fine": (9 * canonical.DETAIL, CHANNELS), "middle": (9 * CHANNELS, CHANNELS),
        "coarse": (9 * CHANNELS, CHANNELS), "joined": (4 * CHANNELS, JOINED), "out": (JOINED, 4),
        "words": (canonical.WORDS, CHANNELS),
    }  # fmt: skip
    arrays = {}
    for name, shape in shapes.items():
        inputs = shape[0] if name != "words" else shapes["fine"][0] + shape[0]
        arrays[name] = np.asarray(rng.normal(0, np.sqrt(2 / inputs), shape), np.float32)
        if name != "words":
            arrays[f"{name}_bias"] = np.zeros(shape[1], np.float32)
    return Network.of(arrays)


def trained(batch: Callable[[], Batch], steps: int, rng: Random) -> Network:
    """Fit to so many batches, by steps that become smaller."""
    arrays = started(rng).arrays()
    first, second = ({name: np.zeros_like(each) for name, each in arrays.items()} for _ in range(2))
    for step in range(1, steps + 1):
        detail, words, wanted, weight = batch()
        network = Network.of(arrays)
        trace = network.traced(detail, words)
        said = 1 / (1 + np.exp(-np.clip(spread_out(trace.logits), -30, 30)))
        error = np.asarray((said - wanted) * weight / weight.sum(), np.float32)
        rate = STEP * 0.5 * (1 + np.cos(np.pi * step / steps)) * min(1.0, step / RISE)
        for name, gradient in gradients(network, trace, _gathered(error)):
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            away = first[name] / (1 - 0.9**step) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
            arrays[name] = np.asarray(arrays[name] - rate * (away + DECAY * arrays[name]), np.float32)
    return Network.of(arrays)


def gradients(network: Network, trace: Trace, error: Floats) -> Iterator[tuple[str, Floats]]:
    """Of the loss by each array.

    Args:
        network: As it was when the trace was made.
        trace: Of the batch.
        error: ``(B, h, w, 4)``, the loss by each logit.
    """
    yield from _of_layer("out", trace, error)
    back = _through(error @ network.out.weights.T, trace, "joined")
    yield from _of_layer("joined", trace, back)
    parts: list[Floats] = np.split(back @ network.joined.weights.T, 4, axis=3)
    to_coarse = _undoubled(_undoubled(parts[2]))
    to_coarse += parts[3].sum(axis=(1, 2), keepdims=True) / np.float32(to_coarse.shape[1] * to_coarse.shape[2])
    coarse = _through(to_coarse, trace, "coarse")
    yield from _of_layer("coarse", trace, coarse)
    to_middle = _undoubled(parts[1]) + _unhalved(_unneighboured(coarse @ network.coarse.weights.T))
    middle = _through(to_middle, trace, "middle")
    yield from _of_layer("middle", trace, middle)
    fine = _through(parts[0] + _unhalved(_unneighboured(middle @ network.middle.weights.T)), trace, "fine")
    yield from _of_layer("fine", trace, fine)
    yield "words", _flat(trace.inputs["words"]).T @ _flat(fine)


def _through(back: Floats, trace: Trace, name: str) -> Floats:
    """Past the rectifier of a layer."""
    return np.asarray(back * (trace.shown[name] > 0), np.float32)


def _of_layer(name: str, trace: Trace, back: Floats) -> Iterator[tuple[str, Floats]]:
    yield name, _flat(trace.inputs[name]).T @ _flat(back)
    yield f"{name}_bias", _flat(back).sum(axis=0)


def _flat(values: Floats) -> Floats:
    return values.reshape(-1, values.shape[-1])


def _gathered(whole: Floats) -> Floats:
    """The reverse of ``spread_out``."""
    count, height, width = whole.shape
    fours = whole.reshape(count, height // 2, 2, width // 2, 2).transpose(0, 1, 3, 2, 4)
    return fours.reshape(count, height // 2, width // 2, 4)


def _undoubled(back: Floats) -> Floats:
    return resized(back, doubling(back.shape[1] // 2).T, doubling(back.shape[2] // 2).T)


def _unhalved(back: Floats) -> Floats:
    return np.repeat(np.repeat(back * np.float32(0.25), 2, axis=1), 2, axis=2)


def _unneighboured(back: Floats) -> Floats:
    """Sums what went to nine places."""
    count, height, width, channels = back.shape
    wide = np.zeros((count, height + 2, width + 2, channels // 9), np.float32)
    for number, part in enumerate(np.split(back, 9, axis=3)):
        y, x = divmod(number, 3)
        wide[:, y : y + height, x : x + width] += part
    return wide[:, 1:-1, 1:-1]
