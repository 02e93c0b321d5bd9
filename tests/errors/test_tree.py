"""The drawing at the top of the package is the tree, and the tree keeps its promises."""

from __future__ import annotations

import json
import re

import pytest

from facefleet import errors
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import FaceNotFound, InputError
from facefleet.errors.task import TaskFailed
from facefleet.errors.tree import tree

_LINE = re.compile(r"^    (?P<lines>[│├└─ ]*)(?P<name>[A-Z]\w+)(?P<rest>.*)$")
_REST = re.compile(r"^\s+(?P<code>[a-z_]+)\s+(?P<status>\d{3})(?P<retryable>\s+retryable)?(\s.*)?$")

CLASSES = list(tree())
LEAVES = [kind for kind in CLASSES if not kind.__subclasses__()]
CODED = [kind for kind in CLASSES if "code" in vars(kind)]


def drawn() -> dict[str, tuple[str | None, str]]:
    """Class → parent and the rest of its line, as drawn."""
    assert errors.__doc__ is not None
    found: dict[str, tuple[str | None, str]] = {}
    path: list[str] = []
    for line in errors.__doc__[errors.__doc__.index("    FacefleetError\n") :].splitlines():
        if match := _LINE.match(line):
            depth = len(match["lines"]) // 4
            path = [*path[:depth], match["name"]]
            found[match["name"]] = (path[-2] if depth else None, match["rest"])
    return found


def test_the_drawing_has_every_class_under_its_parent_and_no_other() -> None:
    parents = {kind.__name__: kind.__base__.__name__ for kind in CLASSES[1:] if kind.__base__}
    assert {name: parent for name, (parent, _) in drawn().items()} == {"FacefleetError": None} | parents


@pytest.mark.parametrize("kind", CODED[1:])
def test_the_drawing_tells_code_status_and_retry(kind: type[FacefleetError]) -> None:
    match = _REST.match(drawn()[kind.__name__][1])
    assert match is not None
    assert (match["code"], int(match["status"]), bool(match["retryable"])) == (kind.code, kind.status, kind.retryable)


def test_every_leaf_has_a_code_a_title_and_a_docstring_of_its_own() -> None:
    for kind in LEAVES:
        assert {"code", "title"} <= vars(kind).keys() or kind is TaskFailed
        assert kind.__doc__


def test_a_client_imports_every_class_from_the_package() -> None:
    assert sorted(errors.__all__) == sorted(kind.__name__ for kind in CLASSES)
    assert all(getattr(errors, kind.__name__) is kind for kind in CLASSES)


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in CODED]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_codes_are_those_of_the_public_api() -> None:
    """A code is promised to callers: one may come, none may go or change."""
    assert {kind.code for kind in LEAVES} >= {
        "option_invalid", "upload_missing", "upload_too_large", "consent_required",
        "image_type_unsupported", "image_too_large_bytes", "image_too_large_pixels", "image_too_small",
        "image_animated", "image_decode_failed", "content_rejected", "face_not_found", "face_index_invalid",
        "face_too_small", "face_pose_unsupported", "face_out_of_frame", "task_not_found",
        "result_not_ready", "result_unavailable", "records_unavailable", "store_unavailable",
        "queue_unavailable", "inspection_unavailable", "attempts_exhausted", "worker_lost",
        "deadline_exceeded", "internal", "face_occluded",
    }  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES)
def test_what_can_be_retried_is_no_fault_of_the_caller(kind: type[FacefleetError]) -> None:
    assert 400 <= kind.status < 600
    if issubclass(kind, InputError):
        assert not kind.retryable
    if kind.status == 503:
        assert kind.retryable


def test_parents_come_before_their_children_and_each_once() -> None:
    assert len(CLASSES) == len(set(CLASSES))
    for number, kind in enumerate(CLASSES[1:], start=1):
        assert kind.__base__ in CLASSES[:number]


def test_an_error_carries_its_message_and_its_facts() -> None:
    error = FaceNotFound("No face in the source.", role="source", faces=0)
    assert (str(error), error.message) == ("No face in the source.",) * 2
    assert json.loads(json.dumps(error.detail)) == {"role": "source", "faces": 0}
