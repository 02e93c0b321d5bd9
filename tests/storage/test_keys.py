from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facefleet.storage.keys import input_key, place_of, probe_key, result_key, tenant_prefix


def test_a_tenants_bytes_live_under_its_prefix() -> None:
    assert tenant_prefix("acme") == "tenants/acme/"
    assert input_key("acme", "t1", "source") == "tenants/acme/inputs/t1/source"
    assert result_key("acme", "t1", 3) == "tenants/acme/results/t1/3"


def test_no_tenants_prefix_begins_anothers() -> None:
    assert not input_key("acme-2", "t", "source").startswith(tenant_prefix("acme"))


def test_two_runs_of_a_task_never_share_a_key() -> None:
    assert result_key("acme", "t", 1) != result_key("acme", "t", 11)


BAD = ["", ".", "..", "../globex", "a/b", "/etc", "a\\b", "a\0b", "a\n", "\na", ".hidden", "-x", "a b", "ü", "x" * 129,
       "a%2fb", "*", "a?b", "~"]  # fmt: skip


@pytest.mark.parametrize("part", BAD)
def test_a_part_that_is_no_plain_name_is_refused(part: str) -> None:
    builders: list[Callable[[], str]] = [
        lambda: tenant_prefix(part),
        lambda: input_key(part, "t", "source"),
        lambda: input_key("acme", part, "source"),
        lambda: input_key("acme", "t", part),
        lambda: result_key(part, "t", 1),
        lambda: result_key("acme", part, 1),
    ]
    for build in builders:
        with pytest.raises(ValueError, match="not a name"):
            build()


def test_the_longest_name_is_accepted() -> None:
    assert tenant_prefix("x" * 128) == f"tenants/{'x' * 128}/"


@given(st.text(max_size=140), st.text(max_size=140), st.text(max_size=140))
def test_whatever_the_parts_are_a_key_stays_in_its_tenant(tenant: str, task: str, role: str) -> None:
    try:
        key = input_key(tenant, task, role)
    except ValueError:
        return
    assert key.split("/") == ["tenants", tenant, "inputs", task, role]
    assert not {"", ".", ".."} & set(key.split("/"))


def test_a_probe_is_no_object_of_anybody() -> None:
    assert probe_key("0190") == "health/0190"
    assert place_of(probe_key("0190")) is None
    with pytest.raises(ValueError):
        probe_key("../tenants")
