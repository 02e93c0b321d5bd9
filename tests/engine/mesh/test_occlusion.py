"""The numbers that tell things from faces, and how they are fitted."""

from __future__ import annotations

import numpy as np
from benchmarks.quality.training import Batch, gradients, started, trained

from facefleet.engine.mesh import canonical
from facefleet.engine.mesh.occlusion import Network, judge, neighbours, spread_out

MOST_NUMBERS = 8000  # what needs more is a model, and is fetched (docs/decisions/0017)


def batch(rng: np.random.Generator, count: int = 2) -> Batch:
    half = canonical.HEIGHT // 2, canonical.WIDTH // 2
    detail = rng.normal(0, 1, (count, *half, canonical.DETAIL)).astype(np.float32)
    words = rng.normal(0, 1, (count, *half, canonical.WORDS)).astype(np.float32)
    wanted = np.repeat(np.repeat(detail[..., 0] > 0, 2, axis=1), 2, axis=2).astype(np.float32)
    return detail, words, wanted, np.ones_like(wanted)


def loss(network: Network, rows: Batch) -> float:
    detail, words, wanted, _ = rows
    logits = spread_out(network.traced(detail, words).logits).astype(np.float64)
    return float((np.logaddexp(0, logits) - wanted * logits).mean())


def test_few_numbers_are_committed() -> None:
    assert judge().count < MOST_NUMBERS


def test_the_same_face_is_judged_the_same_from_a_rewritten_file() -> None:
    own = judge().network
    assert all(np.array_equal(own.arrays()[name], each) for name, each in Network.of(own.arrays()).arrays().items())


def test_each_pixel_sees_the_eight_beside_it() -> None:
    values = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    around = neighbours(values)
    assert around[0, 1, 1].tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert around[0, 0, 0].tolist() == [0, 0, 0, 0, 0, 1, 0, 4, 5]


def test_gradients_are_the_slopes_of_the_loss() -> None:
    rng = np.random.default_rng(3)
    rows, network = batch(rng), started(rng)
    detail, words, wanted, _ = rows
    trace = network.traced(detail, words)
    said = 1 / (1 + np.exp(-spread_out(trace.logits)))
    error = np.asarray((said - wanted) / wanted.size, np.float32)
    fours = error.reshape(2, canonical.HEIGHT // 2, 2, canonical.WIDTH // 2, 2).transpose(0, 1, 3, 2, 4)
    for name, gradient in gradients(network, trace, fours.reshape(*fours.shape[:3], 4)):
        step = (1e-3 / np.linalg.norm(gradient)) * gradient
        ahead, behind = (
            loss(Network.of(network.arrays() | {name: network.arrays()[name] + sign * step}), rows) for sign in (1, -1)
        )
        assert abs((ahead - behind) / (2e-3 * np.linalg.norm(gradient)) - 1) < 0.03, name


def test_fitting_learns_what_is_plain_and_gives_the_same_numbers_again() -> None:
    def plain(rng: np.random.Generator) -> Batch:
        detail, words, wanted, weight = batch(rng, 1)
        detail[..., 0] = 4 * np.sign(detail[..., 0])
        detail[..., 1:] = 0
        return detail, 0 * words, wanted, weight

    def fitted() -> Network:
        rng = np.random.default_rng(5)
        return trained(lambda: plain(rng), 60, rng)

    one, again = fitted(), fitted()
    assert all(np.array_equal(one.arrays()[name], each) for name, each in again.arrays().items())
    assert loss(one, plain(np.random.default_rng(9))) < 0.95 * np.log(2)  # of a network that knows nothing
