"""Looks at what the kernel offers to confine a process: Landlock, filters of system calls, user namespaces.

Nothing is confined by it: Landlock and seccomp are asked for what they know, and the namespace is a child's.
Source: the manual pages landlock_create_ruleset(2), prctl(2), unshare(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Iterator

from facefleet.doctor.contract import Confinement
from facefleet.doctor.ranges import contains
from facefleet.doctor.report import Finding, State, hold

_CREATE_RULESET, _VERSION = 444, 1  # the number is that of x86, Arm, POWER, RISC-V and s390
_PR_GET_SECCOMP, _PR_SET_SECCOMP, _FILTER = 21, 22, 2
_MODES = {0: "not confined", 1: "strict", 2: "filtered"}
_CHILD = (
    "import ctypes,os,sys; c=ctypes.CDLL(None,use_errno=True); sys.exit(c.unshare(0x10000000) and ctypes.get_errno())"
)
_CHILD_SECONDS = 4.0
_ADVICE = "Use a newer kernel, or a runtime that hides less of it; decoding in a confined process needs it."


def look(wanted: Confinement) -> Iterator[Finding]:
    """Findings; a line of the contract that is not kept is a warning."""
    if sys.platform != "linux":
        yield Finding("confinement", State.SKIPPED, "Linux only")
        return
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    yield landlock(wanted, abi, ctypes.get_errno())
    mode = libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0)
    # A filter at address 0 is refused as a bad address where filters are known, and as an invalid mode where not.
    libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), None, 0, 0)
    yield seccomp(wanted, mode, ctypes.get_errno())
    child = [sys.executable, "-I", "-S", "-c", _CHILD]
    done = subprocess.run(child, capture_output=True, timeout=_CHILD_SECONDS, check=False)  # noqa: S603
    yield user_namespaces(wanted, done.returncode)


def landlock(wanted: Confinement, abi: int, reason: int) -> Finding:
    """The ABI of Landlock.

    Args:
        wanted: By the contract.
        abi: What the kernel answered; below 1: it has none.
        reason: The number of the error then.
    """
    found = f"ABI {abi}" if abi > 0 else f"not there: {os.strerror(reason)}"
    finding = Finding("confinement.landlock", State.OK, found)
    if wanted.landlock_abi is None:
        return finding
    kept = abi > 0 and contains(wanted.landlock_abi, str(abi))
    return _held(finding, "confinement.landlock_abi", wanted.landlock_abi, kept=kept)


def seccomp(wanted: Confinement, mode: int, reason: int) -> Finding:
    """Filters of system calls.

    Args:
        wanted: By the contract.
        mode: Of this process.
        reason: The number of the error of a filter at address 0.
    """
    known = reason in (errno.EFAULT, errno.EACCES)  # the second: known, and refused without no_new_privs
    found = f"filters {'known' if known else 'not there'}; this process is {_MODES.get(mode, 'in an unknown mode')}"
    finding = Finding("confinement.seccomp", State.OK, found)
    return _held(finding, "confinement.seccomp", "true", kept=known) if wanted.seccomp else finding


def user_namespaces(wanted: Confinement, status: int) -> Finding:
    """Whether a process may make a user namespace.

    Args:
        wanted: By the contract.
        status: 0, or the number of the error of the child that tried.
    """
    finding = Finding("confinement.user_namespaces", State.OK, f"no: {os.strerror(status)}" if status else "yes")
    return _held(finding, "confinement.user_namespaces", "true", kept=not status) if wanted.user_namespaces else finding


def _held(finding: Finding, line: str, wanted: str, *, kept: bool) -> Finding:
    return hold(finding, line, wanted, kept=kept, advice=_ADVICE, otherwise=State.WARNING)
