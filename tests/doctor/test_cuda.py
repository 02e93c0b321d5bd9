"""The driver of NVIDIA's cards, by libraries that answer as theirs do: no machine of the tests has a card."""

from __future__ import annotations

import ctypes
from typing import Any

from facefleet.doctor import cuda
from facefleet.doctor.contract import Accelerator
from facefleet.doctor.report import State


class Nvml:
    """The functions of ``libnvidia-ml`` that are called, over one card."""

    def __init__(self, *, works: bool = True) -> None:
        self.works = works
        self.open = 0

    def nvmlInit_v2(self) -> int:  # noqa: N802 - the library's names
        self.open += self.works
        return 0 if self.works else 9

    def nvmlShutdown(self) -> int:  # noqa: N802
        self.open -= 1
        return 0

    def nvmlSystemGetDriverVersion(self, text: Any, length: int) -> int:  # noqa: N802
        text.value = b"580.95.05"
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number: ctypes.c_uint, handle: Any) -> int:  # noqa: N802
        return 0 if number.value == 0 else 15

    def nvmlDeviceGetName(self, handle: Any, text: Any, length: int) -> int:  # noqa: N802
        text.value = b"NVIDIA H100 80GB HBM3"
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:  # noqa: N802
        memory._obj.total = 80 << 30
        return 0


class Cuda:
    """The functions of ``libcuda`` that are called."""

    def __init__(self, answer: int = 0) -> None:
        self._answer = answer

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self._answer

    def cuDriverGetVersion(self, number: Any) -> int:  # noqa: N802
        number._obj.value = 13010
        return 0


def opener(nvml: Nvml | None, library: Cuda | None) -> cuda.Opener:
    def opening(name: str) -> object:
        found = {"libnvidia-ml.so.1": nvml, "libcuda.so.1": library}[name]
        if found is None:
            raise OSError(f"{name}: cannot open shared object file")
        return found

    return opening


def test_driver_cards_and_the_newest_cuda_are_told() -> None:
    nvml = Nvml()
    found = cuda.driver(opener(nvml, Cuda()))
    assert found == cuda.Driver(
        "580.95.05", ("NVIDIA H100 80GB HBM3 (80 GiB)", "card 1, which does not answer"), "13.1"
    )
    assert nvml.open == 0
    finding = cuda.look(Accelerator(driver=">=580"), found)
    assert (finding.state, finding.line) == (State.OK, "accelerator.driver")
    assert "runs CUDA up to 13.1" in finding.found


def test_no_driver_is_skipped_and_breaks_a_contract_that_wants_one() -> None:
    for missing in (opener(None, None), opener(Nvml(works=False), None)):
        assert cuda.driver(missing) is None
    assert cuda.look(Accelerator(), None).state is State.SKIPPED
    broken = cuda.look(Accelerator(driver=">=580"), None)
    assert (broken.state, broken.wanted) == (State.BROKEN, ">=580")
    assert "--gpus" in broken.advice


def test_an_old_driver_breaks_the_contract() -> None:
    assert cuda.look(Accelerator(driver=">=590"), cuda.driver(opener(Nvml(), Cuda()))).state is State.BROKEN


def test_a_container_that_may_only_watch_the_card_is_told_so() -> None:
    for library, why in ((None, "libcuda.so.1 cannot be loaded"), (Cuda(100), "cuInit answers 100")):
        found = cuda.driver(opener(Nvml(), library))
        finding = cuda.look(Accelerator(), found)
        assert finding.state is State.WARNING
        assert why in finding.found
        assert "NVIDIA_DRIVER_CAPABILITIES" in finding.advice
        assert cuda.look(Accelerator(driver=">=580"), found).state is State.BROKEN


def test_this_machine_can_be_asked() -> None:
    found = cuda.driver()
    assert found is None or found.version
