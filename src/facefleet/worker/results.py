"""Stores the picture that a run made: a marked one, under the key of the run's own fence."""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.media.sniff import ImageType
from facefleet.safety.marking import MarkedPicture
from facefleet.storage.keys import result_key
from facefleet.storage.store import Store
from facefleet.tasks.task import Task


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result in the object store.

    Attributes:
        key: Of the object.
        media_type: Type of the file.
        size: Bytes.
    """

    key: str
    media_type: ImageType
    size: int


def store_result(store: Store, task: Task, picture: MarkedPicture) -> StoredResult:
    """Store a picture as the result of the run that holds the task.

    Raises:
        StoreUnavailable: The object store does not answer.
    """
    key = result_key(task.tenant, task.id, task.fence)
    store.put(key, picture.image)
    return StoredResult(key, picture.media_type, len(picture.image))
