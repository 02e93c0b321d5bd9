"""Lists the kinds of tasks and the properties of each: the one table that intake, retention and worker read.

A new kind is a row here and a handler in ``worker/handlers``. A kind that only a later release can run has its row
already, because its records may be read by this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from facefleet.tasks.lanes import Lane


class Kind(StrEnum):
    """What a task does."""

    FUSE = "fuse"
    AGE = "age"
    DETECT = "detect"
    TEMPLATE = "template"
    VIDEO = "video"


class Uploads(Enum):
    """How long the photos of a task are kept."""

    UNTIL_END = "deleted as soon as the task has ended"
    TERM = "kept for the term of inputs after the end of the task"
    TEMPLATE = "kept as a template, until that is deleted or has failed"


class Result(Enum):
    """The type of a task's result."""

    PICTURE = "an image file"
    CLIP = "a video file"
    WORDS = "JSON in the record, no file"


@dataclass(frozen=True, slots=True)
class KindRow:
    """The properties of all tasks of one kind.

    Attributes:
        roles: Inputs that a run needs; a template may stand for ``target``, and more sources may follow the first.
        lane: That its tasks travel in where no policy names another.
        consent: Whether the client must attest that the people shown agree.
        uploads: How long its photos are kept.
        result: What a run that succeeds leaves; only files can be marked.
        marked: Whether its result must carry marks.
        named_in_digest: Whether kind and name are part of the request's digest. Fusions came first: theirs is without.
    """

    roles: tuple[str, ...]
    lane: Lane = Lane.STANDARD
    consent: bool = True
    uploads: Uploads = Uploads.TERM
    result: Result = Result.PICTURE
    marked: bool = True
    named_in_digest: bool = True


KINDS: Mapping[Kind, KindRow] = {
    Kind.FUSE: KindRow(("source", "target"), named_in_digest=False),
    Kind.AGE: KindRow(("image",)),
    # A client waits for the answer; no picture is made, so no consent is needed and nothing is marked.
    Kind.DETECT: KindRow(
        ("image",), Lane.INTERACTIVE, consent=False, uploads=Uploads.UNTIL_END, result=Result.WORDS, marked=False
    ),
    Kind.TEMPLATE: KindRow(("image",), uploads=Uploads.TEMPLATE, result=Result.WORDS, marked=False),
    Kind.VIDEO: KindRow(("source", "target"), result=Result.CLIP),
}


def kinds_with(uploads: Uploads) -> tuple[Kind, ...]:
    """The kinds whose photos are kept so long."""
    return tuple(kind for kind, row in KINDS.items() if row.uploads is uploads)
