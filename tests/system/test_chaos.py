"""Any plug may be pulled at any time: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import pytest
from tests.system.chaos import Chaos, Clients, check, report, running, settle

pytestmark = [pytest.mark.needs_server, pytest.mark.system, pytest.mark.timeout(1500)]
SEED = "FACEFLEET_CHAOS_SEED"  # read here only: to see a plan of faults again


@pytest.mark.parametrize(
    ("count", "seconds", "pause"),
    [pytest.param(100, 18.0, (0.5, 1.5), id="short"), pytest.param(2_000, 600.0, (0.5, 4.0), id="long")],
)
def test_every_202_ends_in_one_result_whatever_dies(
    tmp_path: Path, samples: Mapping[str, Path], count: int, seconds: float, pause: tuple[float, float]
) -> None:
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"{SEED}={seed}")  # noqa: T201 - shown when the test fails, or with -s
    photos = {name: samples[name].read_bytes() for name in ("portrait_man", "grace_hopper", "astronaut")}
    pairs = [(photos["portrait_man"], photos["grace_hopper"]), (photos["astronaut"], photos["grace_hopper"])]
    with running(tmp_path, seed) as stack:
        chaos = Chaos(stack, random.Random(seed))
        clients = Clients(stack, chaos, pairs, seed)
        submitting = Thread(target=clients.submit, args=(count, seconds))
        submitting.start()
        try:
            chaos.run(lambda _: submitting.is_alive(), pause)
        finally:
            submitting.join()
        settled = settle(stack, 180)
        check(stack, clients, count)
        print(report(stack, chaos, clients, settled))  # noqa: T201
