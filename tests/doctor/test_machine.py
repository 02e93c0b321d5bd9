"""What is found about the machine, and each line of the contract both ways."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from facefleet.doctor import machine
from facefleet.doctor.contract import Absent, Contract, Cpu, Files, Memory, Python, User
from facefleet.doctor.report import Finding, State


def test_a_contract_that_asks_for_nothing_finds_nothing_broken() -> None:
    found = list(machine.look(Contract()))
    assert [one.check for one in found] == [
        "python", "platform", "cpu", "cpu.features", "memory", "descriptors", "clock", "user",
    ]  # fmt: skip
    assert all(one.found and not one.line for one in found)
    assert State.BROKEN not in {one.state for one in found}


def test_python_is_held_to_the_range_of_the_contract_or_of_this_release() -> None:
    assert machine.python(Python(version=">=3.11,<3.12"), "3.11.7").state is State.OK
    broken = machine.python(Python(version=">=3.11,<3.12"), "3.12.0")
    assert (broken.state, broken.line, broken.wanted) == (State.BROKEN, "python.version", ">=3.11,<3.12")
    assert "3.12.0" in broken.found
    assert machine.python(Python(), "3.10.1").state is State.BROKEN


def test_cores_count_the_quota_of_the_control_group(tmp_path: Path) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "sys" / "fs" / "cgroup").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/\n")
    (tmp_path / "sys" / "fs" / "cgroup" / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "proc" / "cpuinfo").write_text("processor : 0\nflags : fpu sse4_2 avx2\n")
    cores, features = machine.processor(Cpu(at_least=1, features=("avx2",)), tmp_path)
    assert (cores.state, cores.line) == (State.BROKEN, "cpu.at_least")
    assert cores.found.startswith("0.5 core(s)")
    assert (features.state, features.found) == (State.OK, "sse4_2, avx2")
    cores, features = machine.processor(Cpu(at_least=0.5, features=("avx2", "avx512f")), tmp_path)
    assert cores.state is State.OK
    assert (features.state, features.wanted) == (State.BROKEN, "avx2, avx512f")


def test_memory_is_the_limit_of_the_control_group_where_that_is_less(tmp_path: Path) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "sys" / "fs" / "cgroup").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/\n")
    (tmp_path / "sys" / "fs" / "cgroup" / "memory.max").write_text(f"{256 << 20}\n")
    assert machine.memory(Memory(at_least=256 << 20), tmp_path).state is State.OK
    broken = machine.memory(Memory.model_validate({"at_least": "1 GiB"}), tmp_path)
    assert (broken.state, broken.wanted) == (State.BROKEN, "1.0 GiB")
    assert broken.found.startswith("256.0 MiB, of ")


def test_open_files_are_held_to_the_contract() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert machine.descriptors(Files(descriptors=soft)).state is State.OK
    broken = machine.descriptors(Files(descriptors=soft + 1))
    assert (broken.state, broken.line) == (State.BROKEN, "files.descriptors")
    assert f"ulimit -n {soft + 1}" in broken.advice


def test_few_open_files_are_a_warning_without_a_contract() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        assert machine.descriptors(Files()).state is State.WARNING
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_clock_before_the_making_of_the_program_is_broken() -> None:
    assert machine.clock().state is State.OK
    assert machine.clock(0.0).state is State.BROKEN
    assert machine.clock(0.0).found.startswith("1970-01-01 00:00:00 UTC")


def test_the_account_is_held_to_the_contract(tmp_path: Path) -> None:
    assert [one.state for one in machine.account(User(uid=os.getuid()))] == [State.OK]
    (broken,) = machine.account(User(uid=os.getuid() + 1))
    assert (broken.state, broken.line) == (State.BROKEN, "user.uid")


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        ("CapEff:\t0000000000000000\nNoNewPrivs:\t1\n", True),
        ("CapEff:\t000001ffffffffff\nNoNewPrivs:\t0\n", False),
        ("", False),
    ],
)
def test_privileges_are_held_to_the_contract(tmp_path: Path, status: str, kept: bool) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "status").write_text(status)
    _, new, capabilities = machine.account(User(no_new_privileges=True, capabilities="none"), tmp_path)
    for finding in (new, capabilities):
        assert finding.state is (State.OK if kept else State.BROKEN)


def test_programs_that_must_not_be_there_are_looked_for_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "gcc"
    compiler.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(machine.programs(Absent())) == []
    assert _states(Absent(programs=("gcc",))) == [State.OK]  # it may not be run
    compiler.chmod(0o755)
    (broken,) = machine.programs(Absent(programs=("cc", "gcc")))
    assert broken == Finding("absent", State.BROKEN, str(compiler), broken.advice, "absent.programs", "no cc, gcc")


def _states(wanted: Absent) -> list[State]:
    return [one.state for one in machine.programs(wanted)]
