"""The Python client of a facefleet server: ``Client`` for threads and scripts, ``AsyncClient`` for asyncio.

Programs of others import from here, so this package names what is public; the rest of it may change.
"""

from facefleet.assignments import FaceAssignment
from facefleet.client import webhooks
from facefleet.client.aio.batch import AsyncBatch
from facefleet.client.aio.client import AsyncClient
from facefleet.client.aio.keys import AsyncKeys
from facefleet.client.aio.task import AsyncTask
from facefleet.client.aio.template import AsyncTemplate
from facefleet.client.batches import BatchReceipt, BatchView
from facefleet.client.blocking.batch import Batch
from facefleet.client.blocking.client import Client
from facefleet.client.blocking.keys import Keys
from facefleet.client.blocking.task import Task
from facefleet.client.blocking.template import Template
from facefleet.client.consent import Consent
from facefleet.client.faces import Box, Face, Pose
from facefleet.client.keys import KeyView, NewKey
from facefleet.client.retry_policy import Patience
from facefleet.client.templates import TemplateReceipt, TemplateView
from facefleet.client.views import AuditEntry, DayUsage, Event, Problem, Receipt, TaskView, Upload, Usage
from facefleet.options import FuseChoices

__all__ = [
    "AsyncBatch",
    "AsyncClient",
    "AsyncKeys",
    "AsyncTask",
    "AsyncTemplate",
    "AuditEntry",
    "Batch",
    "BatchReceipt",
    "BatchView",
    "Box",
    "Client",
    "Consent",
    "DayUsage",
    "Event",
    "Face",
    "FaceAssignment",
    "FuseChoices",
    "KeyView",
    "Keys",
    "NewKey",
    "Patience",
    "Pose",
    "Problem",
    "Receipt",
    "Task",
    "TaskView",
    "Template",
    "TemplateReceipt",
    "TemplateView",
    "Upload",
    "Usage",
    "webhooks",
]
