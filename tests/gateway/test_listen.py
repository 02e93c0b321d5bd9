"""The gateway's socket."""

from __future__ import annotations

import socket
import statistics
import time

import pytest
from tests.gateway.conftest import Door

from facefleet.errors.input import ConfigInvalid
from facefleet.gateway.app import listen

DELAYED_ACK_SECONDS = 0.04  # the least that Linux waits before it acknowledges what it has nothing to answer to


def test_an_answer_on_a_kept_connection_waits_for_no_acknowledgement(door: Door) -> None:
    """Head and body are two writes; by Nagle's algorithm the second would wait until the first is acknowledged."""
    took = []
    for _ in range(30):
        began = time.perf_counter()
        assert door.client.get("/healthz").status_code == 200
        took.append(time.perf_counter() - began)
    assert statistics.median(took) < DELAYED_ACK_SECONDS / 2


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigInvalid, match="choose another port"):
        listen("127.0.0.1", other.getsockname()[1])
