"""Asks NVIDIA's two libraries for the driver: NVML, which watches the cards, and libcuda, which computes on them.

A container may be given the first without the second (``NVIDIA_DRIVER_CAPABILITIES=utility``), so both are asked.
Source: the reference manuals of NVML and of the CUDA driver API.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from facefleet.doctor.contract import Accelerator
from facefleet.doctor.ranges import contains
from facefleet.doctor.report import Finding, State, hold

_NVML, _CUDA = "libnvidia-ml.so.1", "libcuda.so.1"
_TEXT_BYTES = 96  # NVML_DEVICE_NAME_V2_BUFFER_SIZE, the longer of the two that are used
_GIB = 1 << 30

Opener = Callable[[str], Any]


class _MemoryInfo(ctypes.Structure):
    """NVML's ``nvmlMemory_t``, in bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


@dataclass(frozen=True, slots=True)
class Driver:
    """What the libraries say.

    Attributes:
        version: Of the driver, as ``580.95.05``.
        cards: Name and memory of each card.
        cuda: The newest CUDA that the driver runs, as ``13.0``; empty where libcuda does not work.
        problem: Why it does not.
    """

    version: str
    cards: tuple[str, ...]
    cuda: str
    problem: str = ""


def driver(opener: Opener = ctypes.CDLL) -> Driver | None:
    """The driver; none where the machine has none.

    Args:
        opener: Opens a shared library by its name, or raises ``OSError``.
    """
    try:
        nvml = opener(_NVML)
    except OSError:
        return None
    if nvml.nvmlInit_v2() != 0:
        return None
    try:
        version = ctypes.create_string_buffer(_TEXT_BYTES)
        nvml.nvmlSystemGetDriverVersion(version, _TEXT_BYTES)
        cuda, problem = _cuda(opener)
        return Driver(version.value.decode(), _cards(nvml), cuda, problem)
    finally:
        nvml.nvmlShutdown()


def look(wanted: Accelerator, found: Driver | None) -> Finding:
    """The driver, held to the contract.

    Args:
        wanted: By the contract.
        found: By ``driver``.
    """
    finding = _finding(found)
    if wanted.driver is None:
        return finding
    kept = found is not None and not found.problem and contains(wanted.driver, found.version)
    advice = finding.advice or f"Install an NVIDIA driver {wanted.driver} on the host; start containers with --gpus."
    return hold(finding, "accelerator.driver", wanted.driver, kept=kept, advice=advice)


def _finding(found: Driver | None) -> Finding:
    check = "accelerator.driver"
    if found is None:
        return Finding(check, State.SKIPPED, "no NVIDIA driver")
    cards = ", ".join(found.cards) or "no card"
    shown = f"NVIDIA {found.version}, {cards}"
    if found.problem:
        advice = "Give the container the card to compute on: NVIDIA_DRIVER_CAPABILITIES=compute,utility."
        return Finding(check, State.WARNING, f"{shown}; CUDA cannot be used: {found.problem}", advice)
    return Finding(check, State.OK, f"{shown}; runs CUDA up to {found.cuda}")


def _cards(nvml: Any) -> tuple[str, ...]:
    count = ctypes.c_uint()
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    return tuple(_card(nvml, number) for number in range(count.value))


def _card(nvml: Any, number: int) -> str:
    handle, name, memory = ctypes.c_void_p(), ctypes.create_string_buffer(_TEXT_BYTES), _MemoryInfo()
    if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(number), ctypes.byref(handle)) != 0:
        return f"card {number}, which does not answer"
    nvml.nvmlDeviceGetName(handle, name, _TEXT_BYTES)
    nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
    return f"{name.value.decode()} ({memory.total / _GIB:.0f} GiB)"


def _cuda(opener: Opener) -> tuple[str, str]:
    """The newest CUDA that the driver runs, and an empty text; or an empty text, and the reason."""
    try:
        library = opener(_CUDA)
    except OSError:
        return "", f"{_CUDA} cannot be loaded"
    if (code := library.cuInit(0)) != 0:
        return "", f"cuInit answers {code}"
    number = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(number))  # 1000 × major + 10 × minor
    return f"{number.value // 1000}.{number.value % 1000 // 10}", ""
