"""Reads the limits of memory and processor time that the control group of this process has, in versions 1 and 2.

The limit of a group holds below it, too, so that of every group above counts; what a container cannot see is missing.
Source: the kernel's admin-guide/cgroup-v1/memory.rst, scheduler/sched-bwc.rst, admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_UNLIMITED = 1 << 60  # bytes; version 1 has no word for "none" and shows a number about as large as it can hold
_ROOT = Path("/")
_V2 = ("sys/fs/cgroup", "sys/fs/cgroup/unified")


def memory_limit(root: Path = _ROOT) -> int | None:
    """The least limit of memory, bytes; none where there is none.

    Args:
        root: Of ``/proc`` and ``/sys``.
    """
    files = _texts(root, "memory", "memory.max", "memory.limit_in_bytes")
    limits = [int(text) for text in files if text.isdecimal() and int(text) < _UNLIMITED]
    return min(limits, default=None)


def cpu_limit(root: Path = _ROOT) -> float | None:
    """The least limit of processor time, in cores; none where there is none.

    Args:
        root: Of ``/proc`` and ``/sys``.
    """
    shares = [text.split() for text in _texts(root, "cpu", "cpu.max", "cpu.cfs_quota_us cpu.cfs_period_us")]
    limits = [int(share[0]) / int(share[1]) for share in shares if len(share) == 2 and share[0].isdecimal()]
    return min(limits, default=None)


def _texts(root: Path, controller: str, second: str, first: str) -> Iterator[str]:
    """The contents of the files of every group above this process; several names become one text."""
    for folder, name in _groups(root, controller):
        with suppress(OSError):
            yield " ".join((folder / part).read_text().strip() for part in (second if name == "" else first).split())


def _groups(root: Path, controller: str) -> Iterator[tuple[Path, str]]:
    """The folders of the groups, each with the controller's name in version 1 and an empty one in version 2."""
    lines: list[str] = []
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _number, controllers, path = line.split(":", 2)
        mounts = _V2 if not controllers else (f"sys/fs/cgroup/{controllers}", f"sys/fs/cgroup/{controller}")
        if not controllers or controller in controllers.split(","):
            for mount in dict.fromkeys(mounts):
                inner = PurePosixPath(path).relative_to("/")
                yield from ((root / mount / group, controllers) for group in (inner, *inner.parents))
