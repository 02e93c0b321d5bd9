"""Loads the photos of a task from the object store."""

from __future__ import annotations

from facefleet.assignments import SOURCE_ROLES
from facefleet.errors.lookup import TemplateNotFound
from facefleet.errors.task import ObjectMissing
from facefleet.storage.keys import template_key
from facefleet.storage.store import Store
from facefleet.tasks.task import Task


def load_image(store: Store, task: Task) -> bytes:
    """The one photo of a task that has only one.

    Raises:
        ObjectMissing: It is not in the store.
    """
    return store.get(task.inputs["image"])


def load_sources(store: Store, task: Task) -> list[bytes]:
    """The photos to take faces from, in their order; at least one.

    Raises:
        ObjectMissing: One is not in the store.
    """
    return [store.get(task.inputs[role]) for role in SOURCE_ROLES if role in task.inputs]


def load_target(store: Store, task: Task) -> bytes:
    """The photo to fuse into: the template that the task names, or else its own upload.

    Raises:
        TemplateNotFound: The template was deleted after the task was accepted.
        ObjectMissing: The upload is not in the store.
    """
    if task.template is not None:
        return load_template(store, task.tenant, task.template)
    return store.get(task.inputs["target"])


def load_template(store: Store, tenant: str, template_id: str) -> bytes:
    """The photo of a template.

    Raises:
        TemplateNotFound: It was deleted meanwhile.
    """
    try:
        return store.get(template_key(tenant, template_id))
    except ObjectMissing:
        raise TemplateNotFound(
            "The template was deleted meanwhile.", template_id=template_id, field="template_id"
        ) from None
