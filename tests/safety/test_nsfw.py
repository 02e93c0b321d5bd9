"""The decision: by score, policy and role, and which scores are remembered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facefleet.engine.inspector import Inspected, Inspection, Shown, Verdict
from facefleet.engine.types import ModelFiles
from facefleet.errors.outage import InspectionUnavailable
from facefleet.safety.nsfw import NsfwInspector, NsfwPolicy, Scores

SOURCE, TARGET, RESULT = Inspected
POLICY = NsfwPolicy(allow=0.5, block=0.8)
PIXELS = np.zeros((64, 64, 3), np.uint8)


class Scripted:
    """A classifier that says what it is told to say, and counts."""

    def __init__(self, *scores: float | Exception, version: str = "1") -> None:
        self.model = ModelFiles("scripted", version, {})
        self.scores = list(scores)
        self.asked = self.warmed = 0

    def score(self, shown: Shown) -> float:
        self.asked += 1
        score = self.scores.pop(0) if len(self.scores) > 1 else self.scores[0]
        if isinstance(score, Exception):
            raise score
        return score

    def warm(self) -> None:
        self.warmed += 1


def shown(digest: bytes = b"one") -> Shown:
    return Shown(PIXELS, digest=digest)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.0, Verdict.ALLOWED), (0.4999, Verdict.ALLOWED), (0.5, Verdict.REVIEW), (0.7999, Verdict.REVIEW),
        (0.8, Verdict.BLOCKED), (1.0, Verdict.BLOCKED),
    ],
)  # fmt: skip
def test_the_policy_judges_by_the_score(score: float, verdict: Verdict) -> None:
    found = NsfwInspector(Scripted(score), POLICY).inspect(shown(), SOURCE)
    assert found == Inspection(SOURCE, "nsfw", "scripted", "1", score, verdict)


def test_a_threshold_of_0_blocks_everything_and_one_above_every_score_nothing() -> None:
    assert NsfwPolicy(0.0, 0.0).judge(0.0) is Verdict.BLOCKED
    assert NsfwPolicy(1.0, 1.0).judge(0.9999) is Verdict.ALLOWED


def test_a_result_is_looked_at_only_where_the_policy_says_so() -> None:
    classifier = Scripted(0.9)
    assert NsfwInspector(classifier, POLICY).inspect(shown(b""), RESULT) is None
    assert classifier.asked == 0
    found = NsfwInspector(classifier, NsfwPolicy(0.5, 0.8, results=True)).inspect(shown(b""), RESULT)
    assert found is not None
    assert found.verdict is Verdict.BLOCKED


def test_a_file_is_scored_once_whatever_its_role_and_another_file_for_itself() -> None:
    classifier = Scripted(0.1, 0.9)
    inspector = NsfwInspector(classifier, POLICY)
    verdicts = [inspector.inspect(shown(), role) for role in (SOURCE, TARGET, SOURCE)]
    assert [one.score for one in verdicts if one] == [0.1] * 3
    other = inspector.inspect(shown(b"other"), TARGET)
    assert other is not None
    assert other.score == 0.9
    assert classifier.asked == 2


def test_pixels_that_are_of_no_file_are_scored_each_time() -> None:
    classifier = Scripted(0.1, 0.9, 0.2)
    inspector = NsfwInspector(classifier, NsfwPolicy(0.5, 0.8, results=True))
    found = [inspector.inspect(shown(b""), RESULT) for _ in range(3)]
    assert [one.score for one in found if one] == [0.1, 0.9, 0.2]


def test_a_failure_is_raised_and_not_remembered() -> None:
    inspector = NsfwInspector(Scripted(InspectionUnavailable("Away."), 0.1), POLICY)
    with pytest.raises(InspectionUnavailable):
        inspector.inspect(shown(), SOURCE)
    found = inspector.inspect(shown(), SOURCE)
    assert found is not None
    assert found.verdict is Verdict.ALLOWED


def test_the_inspector_names_and_warms_its_model() -> None:
    classifier = Scripted(0.1, version="2")
    inspector = NsfwInspector(classifier, POLICY)
    inspector.warm()
    assert dict(inspector.versions) == {"scripted": "2"}
    assert classifier.warmed == 1


def test_scores_are_bounded_and_the_least_recently_asked_goes_first() -> None:
    scores = Scores(2)
    scores.put("a", 0.1)
    scores.put("b", 0.2)
    assert scores.get("a") == 0.1
    scores.put("c", 0.3)
    assert [scores.get(key) for key in "abc"] == [0.1, None, 0.3]


def test_scores_are_safe_from_several_threads() -> None:
    scores = Scores(8)

    def work(thread: int) -> None:
        for number in range(500):
            key = (thread * number) % 20
            scores.put(key, key / 20)
            assert scores.get(key) in (key / 20, None)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
