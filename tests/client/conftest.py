"""A real gateway without a worker: the tests move its tasks themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from tests.gateway.conftest import Door, admiral, engine, open_door, photo, woman, work

from facefleet.client import Client
from facefleet.errors.base import FacefleetError
from facefleet.tasks.task import Task

__all__ = ["admiral", "client", "door", "engine", "open_door", "photo", "woman", "work"]

LEASE = timedelta(minutes=1)


@pytest.fixture
def door(open_door) -> Door:  # type: ignore[no-untyped-def]
    """A gateway with default settings."""
    found: Door = open_door()
    return found


@pytest.fixture
def client(door: Door) -> Iterator[Client]:
    """A client of it."""
    with httpx.Client(trust_env=False, verify=False) as http, Client(str(door.client.base_url), http=http) as found:
        yield found


def begin(door: Door, task_id: str) -> Task:
    """As a worker that takes the task."""
    claimed = door.records.claim(task_id, LEASE, {})
    assert claimed is not None
    return claimed


def fail(door: Door, task_id: str, error: FacefleetError) -> None:
    """As a worker whose run fails."""
    door.records.fail(begin(door, task_id), error)


def watchers(door: Door, how: str) -> float:
    """Clients that wait at the gateway by ``events`` or by ``wait``."""
    return door.parts.metrics.registry.get_sample_value("facefusion_watchers", {"how": how}) or 0.0
