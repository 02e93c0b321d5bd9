"""Loads the photos of a task from the object store."""

from __future__ import annotations

import hashlib

from facefleet.assignments import SOURCE_ROLES
from facefleet.errors.input import UploadMismatch
from facefleet.errors.lookup import TemplateNotFound
from facefleet.errors.task import ObjectMissing
from facefleet.storage.keys import template_key
from facefleet.storage.store import Store
from facefleet.tasks.task import Task


def load_image(store: Store, task: Task) -> bytes:
    """The one photo of a task that has only one.

    Raises:
        ObjectMissing: It is not in the store.
        UploadMismatch: It is not what its client announced.
    """
    return _load(store, task, "image")


def load_sources(store: Store, task: Task) -> list[bytes]:
    """The photos to take faces from, in their order; at least one.

    Raises:
        ObjectMissing: One is not in the store.
        UploadMismatch: One is not what its client announced.
    """
    return [_load(store, task, role) for role in SOURCE_ROLES if role in task.inputs]


def load_target(store: Store, task: Task) -> bytes:
    """The photo to fuse into: the template that the task names, or else its own upload.

    Raises:
        TemplateNotFound: The template was deleted after the task was accepted.
        ObjectMissing: The upload is not in the store.
        UploadMismatch: It is not what its client announced.
    """
    if task.template is not None:
        return load_template(store, task.tenant, task.template)
    return _load(store, task, "target")


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


def _load(store: Store, task: Task, role: str) -> bytes:
    """A photo; one that went to the store by itself is seen as a whole here for the first time."""
    key, announced = task.inputs[role], task.digests.get(role)
    data = store.get(key)
    if announced is not None and hashlib.sha256(data).hexdigest() != announced:
        store.delete(key)
        of_several = {"number": SOURCE_ROLES.index(role)} if role in SOURCE_ROLES else {}
        raise UploadMismatch(
            "The uploaded file is another one: its SHA-256 is not the one that was announced.",
            field=SOURCE_ROLES[0] if of_several else role, **of_several,
        )  # fmt: skip
    return data
