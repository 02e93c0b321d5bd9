"""The receiver of the guide, word for word, against what we sign."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.webhooks.test_sign import OTHER, SECRET

from facefleet.webhooks.sign import Signer

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "webhooks.md"
BODY = '{"type":"task.succeeded","data":{"name":"é"}}'.encode()

Verify = Callable[[Mapping[str, str], bytes, str], bool]


@pytest.fixture
def verify() -> Verify:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, Verify] = {}
    exec(compile(code, str(GUIDE), "exec"), names)
    return names["verify"]


def signed(age: float = 0, secrets: str = SECRET) -> Mapping[str, str]:
    return Signer.of(secrets).headers("one", int(time.time() - age), BODY)


def test_it_takes_what_we_send(verify: Verify) -> None:
    assert verify(signed(), BODY, SECRET)
    assert verify(signed(age=290), BODY, SECRET)


@pytest.mark.parametrize("secrets", [f"{OTHER} {SECRET}", f"{SECRET} {OTHER}"])
def test_it_takes_it_while_secrets_change(verify: Verify, secrets: str) -> None:
    assert verify(signed(secrets=secrets), BODY, SECRET)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_it_refuses_what_somebody_changed(verify: Verify, name: str) -> None:
    assert not verify({**signed(), name: str(int(time.time()) + 1)}, BODY, SECRET)
    assert not verify(signed(), BODY + b" ", SECRET)
    assert not verify(signed(), BODY, OTHER)


@pytest.mark.parametrize("age", [310, -310])
def test_it_refuses_what_is_old_or_from_the_future(verify: Verify, age: float) -> None:
    assert not verify(signed(age), BODY, SECRET)
