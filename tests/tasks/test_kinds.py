"""The table of kinds."""

from __future__ import annotations

from facefleet.tasks.kinds import KINDS, Kind, Result, Uploads, kinds_with
from facefleet.tasks.lanes import Lane


def test_every_kind_has_its_row() -> None:
    assert set(KINDS) == set(Kind)


def test_what_is_made_of_a_photo_needs_consent_and_carries_marks() -> None:
    for row in KINDS.values():
        assert row.marked == (row.result is not Result.WORDS)
        assert row.consent or not row.marked


def test_only_a_search_for_faces_is_answered_at_once_without_consent_and_without_keeping_the_photo() -> None:
    assert [kind for kind, row in KINDS.items() if not row.consent] == [Kind.DETECT]
    assert [kind for kind, row in KINDS.items() if row.lane is Lane.INTERACTIVE] == [Kind.DETECT]
    assert kinds_with(Uploads.UNTIL_END) == (Kind.DETECT,)
    assert kinds_with(Uploads.TEMPLATE) == (Kind.TEMPLATE,)
