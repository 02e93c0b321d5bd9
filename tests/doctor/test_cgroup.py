"""Limits of control groups, as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from facefleet.doctor import cgroup

GIB = 1 << 30


def tree(root: Path, groups: str, **files: str) -> Path:
    """A root with ``/proc/self/cgroup``, and files whose names have ``__`` for ``/``."""
    for name, text in {"proc__self__cgroup": groups, **files}.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def test_version_2_counts_the_least_limit_of_the_group_and_those_above(tmp_path: Path) -> None:
    root = tree(tmp_path, "0::/pods/one", **{
        "sys__fs__cgroup__pods__one__memory.max": str(2 * GIB), "sys__fs__cgroup__pods__memory.max": str(GIB),
        "sys__fs__cgroup__pods__one__cpu.max": "150000 100000", "sys__fs__cgroup__pods__cpu.max": "max 100000",
    })  # fmt: skip
    assert cgroup.memory_limit(root) == GIB
    assert cgroup.cpu_limit(root) == 1.5


def test_version_1_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    root = tree(tmp_path, "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/", **{
        "sys__fs__cgroup__memory__docker__abc__memory.limit_in_bytes": str(GIB),
        "sys__fs__cgroup__memory__memory.limit_in_bytes": "9223372036854771712",
        "sys__fs__cgroup__cpu,cpuacct__docker__abc__cpu.cfs_quota_us": "50000",
        "sys__fs__cgroup__cpu,cpuacct__docker__abc__cpu.cfs_period_us": "100000",
    })  # fmt: skip
    assert cgroup.memory_limit(root) == GIB
    assert cgroup.cpu_limit(root) == 0.5


def test_a_container_that_sees_only_its_own_group_finds_its_limit_at_the_top(tmp_path: Path) -> None:
    root = tree(tmp_path, "4:memory:/docker/abc", **{"sys__fs__cgroup__memory__memory.limit_in_bytes": str(GIB)})
    assert cgroup.memory_limit(root) == GIB


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ("0::/", {"sys__fs__cgroup__memory.max": "max", "sys__fs__cgroup__cpu.max": "max 100000"}),
        (
            "4:memory:/\n1:cpu:/",
            {
                "sys__fs__cgroup__memory__memory.limit_in_bytes": "9223372036854771712",
                "sys__fs__cgroup__cpu__cpu.cfs_quota_us": "-1",
                "sys__fs__cgroup__cpu__cpu.cfs_period_us": "100000",
            },
        ),
        ("0::/", {}),
        ("1:name=systemd:/", {}),
    ],
)
def test_no_limit_is_none(tmp_path: Path, groups: str, files: dict[str, str]) -> None:
    root = tree(tmp_path, groups, **files)
    assert cgroup.memory_limit(root) is None
    assert cgroup.cpu_limit(root) is None


def test_a_system_without_control_groups_has_no_limit(tmp_path: Path) -> None:
    assert cgroup.memory_limit(tmp_path) is None
    assert cgroup.cpu_limit(tmp_path) is None
