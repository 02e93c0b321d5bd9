"""Looks at the machine: Python, processor, memory, open files, clock, account, and programs that must not be there."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from facefleet.doctor import cgroup
from facefleet.doctor.contract import Absent, Contract, Cpu, Files, Memory, Python, User
from facefleet.doctor.ranges import contains
from facefleet.doctor.report import Finding, State, hold
from facefleet.doctor.sizes import shown_size

_PYTHON = ">=3.11"
_TOLD = ("sse4_2", "avx", "avx2", "avx512f", "avx512_vnni", "amx_tile", "asimd", "asimddp", "sve")  # of all flags
_FEW_DESCRIPTORS = 1024
_ROOT = Path("/")


def look(contract: Contract) -> Iterator[Finding]:
    """The findings about this machine."""
    yield python(contract.python)
    yield Finding("platform", State.OK, platform.platform())
    yield from processor(contract.cpu)
    yield memory(contract.memory)
    yield descriptors(contract.files)
    yield clock()
    yield from account(contract.user)
    yield from programs(contract.absent)


def python(wanted: Python, version: str = platform.python_version()) -> Finding:
    """The interpreter's version, in the range of the contract or that of this release."""
    finding = Finding("python", State.OK, f"{platform.python_implementation()} {version}")
    if wanted.version is not None:
        kept, advice = contains(wanted.version, version), f"Install Python {wanted.version}."
        return hold(finding, "python.version", wanted.version, kept=kept, advice=advice)
    if not contains(_PYTHON, version):
        return Finding("python", State.BROKEN, finding.found, f"Install Python {_PYTHON}.")
    return finding


def processor(wanted: Cpu, root: Path = _ROOT) -> Iterator[Finding]:
    """Cores that this process may use, and instruction sets.

    Args:
        wanted: By the contract.
        root: Of ``/proc`` and ``/sys``.
    """
    cores, flags = _cores(root), _flags(root)
    finding = Finding("cpu", State.OK, f"{cores:g} core(s), {platform.machine()}")
    if wanted.at_least is not None:
        kept, advice = cores >= wanted.at_least, "Give it more cores, or a larger quota (limits.cpu of a container)."
        finding = hold(finding, "cpu.at_least", f"{wanted.at_least:g}", kept=kept, advice=advice)
    yield finding
    told = [flag for flag in dict.fromkeys((*_TOLD, *wanted.features)) if flag in flags]
    finding = Finding("cpu.features", State.OK, ", ".join(told) or "none of those that matter")
    if wanted.features:
        kept, advice = flags.issuperset(wanted.features), "Run it on a machine whose processor has them."
        finding = hold(finding, "cpu.features", ", ".join(wanted.features), kept=kept, advice=advice)
    yield finding


def _cores(root: Path) -> float:
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup.cpu_limit(root)
    return mine if quota is None else min(float(mine), quota)


def _flags(root: Path) -> set[str]:
    """The names of x86 (``flags``) and of Arm (``Features``)."""
    with suppress(OSError):
        for line in (root / "proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip().lower() in ("flags", "features"):
                return set(value.split())
    return set()


def memory(wanted: Memory, root: Path = _ROOT) -> Finding:
    """Memory of the machine, or the limit of the control group where that is less.

    Args:
        wanted: By the contract.
        root: Of ``/proc`` and ``/sys``.
    """
    whole, limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), cgroup.memory_limit(root)
    usable = whole if limit is None else min(whole, limit)
    of = f", of {shown_size(whole)}: the limit of the control group" if usable < whole else ""
    finding = Finding("memory", State.OK, f"{shown_size(usable)}{of}")
    if wanted.at_least is None:
        return finding
    kept, advice = usable >= wanted.at_least, "Give it more memory (limits.memory of a container)."
    return hold(finding, "memory.at_least", shown_size(wanted.at_least), kept=kept, advice=advice)


def descriptors(wanted: Files) -> Finding:
    """How many files and sockets this process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    finding = Finding("descriptors", State.OK, f"{_limit(soft)} open files, at most {_limit(hard)}")
    count = wanted.descriptors
    advice = f"Raise the limit: `ulimit -n {count or _FEW_DESCRIPTORS}`, or LimitNOFILE= of a systemd unit."
    if count is not None:
        kept = soft == resource.RLIM_INFINITY or soft >= count
        return hold(finding, "files.descriptors", count, kept=kept, advice=advice)
    if soft != resource.RLIM_INFINITY and soft < _FEW_DESCRIPTORS:
        return Finding(finding.check, State.WARNING, finding.found, advice)
    return finding


def _limit(count: int) -> str:
    return "unlimited" if count == resource.RLIM_INFINITY else str(count)


def clock(now: float | None = None) -> Finding:
    """Whether the clock is past the making of this program's files; the servers' clocks are compared with it.

    Args:
        now: s since the epoch of Unix; by the clock where not given.
    """
    at = time.time() if now is None else now
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    if at < Path(__file__).stat().st_mtime:
        return Finding("clock", State.BROKEN, f"{shown}, before this program was made", "Set the clock; use NTP.")
    return Finding("clock", State.OK, shown)


def account(wanted: User, root: Path = _ROOT) -> Iterator[Finding]:
    """The user, and what the process may do beyond it.

    Args:
        wanted: By the contract.
        root: Of ``/proc``.
    """
    finding = Finding("user", State.OK, f"uid {os.getuid()}, gid {os.getgid()}")
    if wanted.uid is not None:
        advice = f"Run it as uid {wanted.uid} (runAsUser of a pod, --user of a container)."
        finding = hold(finding, "user.uid", wanted.uid, kept=os.getuid() == wanted.uid, advice=advice)
    yield finding
    status = _status(root)
    if wanted.no_new_privileges:
        kept = status.get("NoNewPrivs") == "1"
        finding = Finding("user.no_new_privileges", State.OK, "set" if kept else "not set")
        advice = "Set allowPrivilegeEscalation: false (a pod) or --security-opt no-new-privileges (a container)."
        yield hold(finding, "user.no_new_privileges", "true", kept=kept, advice=advice)
    if wanted.capabilities is not None:
        bits = status.get("CapEff", "")
        finding = Finding("user.capabilities", State.OK, f"effective capabilities {bits or 'unknown'}")
        kept, advice = bits.strip("0") == "" and bits != "", "Drop all capabilities (capabilities.drop: [ALL])."
        yield hold(finding, "user.capabilities", wanted.capabilities, kept=kept, advice=advice)


def _status(root: Path) -> dict[str, str]:
    with suppress(OSError):
        lines = (root / "proc/self/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {}


def programs(wanted: Absent) -> Iterator[Finding]:
    """Whether programs that the contract forbids are on the path."""
    if not wanted.programs:
        return
    there = [found for name in wanted.programs if (found := shutil.which(name))]
    finding = Finding("absent", State.OK, ", ".join(there) or "none of them is there")
    advice = "Remove them from the image: whoever gets in could use them."
    yield hold(finding, "absent.programs", f"no {', '.join(wanted.programs)}", kept=not there, advice=advice)
