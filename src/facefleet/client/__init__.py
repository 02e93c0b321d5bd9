"""The Python client of a facefleet server: ``Client`` for threads and scripts, ``AsyncClient`` for asyncio.

Programs of others import from here, so this package names what is public; the rest of it may change.
"""

from facefleet.assignments import FaceAssignment
from facefleet.client import webhooks
from facefleet.client.aio.client import AsyncClient
from facefleet.client.aio.task import AsyncTask
from facefleet.client.blocking.client import Client
from facefleet.client.blocking.task import Task
from facefleet.client.patience import Patience
from facefleet.client.views import DayUsage, Event, Problem, Receipt, TaskView, Usage

__all__ = [
    "AsyncClient",
    "AsyncTask",
    "Client",
    "DayUsage",
    "Event",
    "FaceAssignment",
    "Patience",
    "Problem",
    "Receipt",
    "Task",
    "TaskView",
    "Usage",
    "webhooks",
]
