"""What the kernel offers, both ways."""

from __future__ import annotations

import ctypes
import errno
import sys

import pytest

from facefleet.doctor import confinement
from facefleet.doctor.contract import Confinement
from facefleet.doctor.report import State

WANTED = Confinement(landlock_abi=">=3", seccomp=True, user_namespaces=True)


@pytest.mark.skipif(sys.platform != "linux", reason="these are parts of Linux")
def test_this_kernel_is_asked_and_this_process_stays_as_it_was() -> None:
    libc = ctypes.CDLL(None)
    found = {one.check: one for one in confinement.look(Confinement())}
    assert set(found) == {"confinement.landlock", "confinement.seccomp", "confinement.user_namespaces"}
    assert {one.state for one in found.values()} == {State.OK}
    assert libc.prctl(21, 0, 0, 0, 0) in (0, 2)
    assert libc.prctl(39, 0, 0, 0, 0) in (0, 1)  # no_new_privs can be asked for


def test_landlock_is_held_to_its_abi_by_a_warning() -> None:
    assert confinement.landlock(WANTED, 7, 0).state is State.OK
    old = confinement.landlock(WANTED, 2, 0)
    assert (old.state, old.line, old.found) == (State.WARNING, "confinement.landlock_abi", "ABI 2")
    none = confinement.landlock(WANTED, -1, errno.ENOSYS)
    assert (none.state, none.found) == (State.WARNING, "not there: Function not implemented")
    assert confinement.landlock(Confinement(), -1, errno.EOPNOTSUPP).state is State.OK


def test_seccomp_is_there_where_a_bad_address_is_what_is_wrong() -> None:
    assert confinement.seccomp(WANTED, 0, errno.EFAULT).state is State.OK
    assert confinement.seccomp(WANTED, 2, errno.EACCES).found == "filters known; this process is filtered"
    assert confinement.seccomp(WANTED, 0, errno.EINVAL).state is State.WARNING
    assert confinement.seccomp(Confinement(), 0, errno.EINVAL).state is State.OK


def test_user_namespaces_are_what_a_child_could_make() -> None:
    assert confinement.user_namespaces(WANTED, 0).state is State.OK
    refused = confinement.user_namespaces(WANTED, errno.EPERM)
    assert (refused.state, refused.found) == (State.WARNING, "no: Operation not permitted")
