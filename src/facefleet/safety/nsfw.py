"""Keeps pornographic photos out: the inspector that asks a classifier and judges its score by a policy.

photo ─► score known for this file? ─► yes ──────────┐
                └─ no ─► classifier ─► remembered ───┴─► policy ─► allowed | review | blocked
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol

from facefleet.engine.inspector import Inspected, Inspection, Shown, Verdict
from facefleet.engine.types import ModelFiles

CHECK = "nsfw"
OPEN_NSFW = "open_nsfw"  # in the manifest
MOST_SCORES = 4096  # each takes some 200 bytes


@dataclass(frozen=True, slots=True)
class NsfwPolicy:
    """From which score on a photo is refused.

    Attributes:
        allow: Below it a photo may be used; from here on a person should look at it.
        block: From it on a photo is refused.
        results: Whether results are looked at, too, though both photos have passed.
    """

    allow: float
    block: float
    results: bool = False

    def judge(self, score: float) -> Verdict:
        """The verdict on a photo of this score."""
        if score >= self.block:
            return Verdict.BLOCKED
        return Verdict.REVIEW if score >= self.allow else Verdict.ALLOWED


def stricter(found: Inspection, allow: float | None) -> Inspection:
    """What was found as a tenant judges it that allows less than the service.

    Args:
        found: As the service judged it.
        allow: Score from which on the tenant's photos are refused; None, or above the service's: nothing changes.
    """
    if allow is None or found.check != CHECK or found.verdict is not Verdict.ALLOWED or found.score < allow:
        return found
    return replace(found, verdict=Verdict.REVIEW)


class Classifier(Protocol):
    """Scores photos. Safe to call from several threads."""

    @property
    def model(self) -> ModelFiles:
        """Which model it asks."""

    def score(self, shown: Shown) -> float:
        """How likely the photo is pornographic, 0 to 1.

        Raises:
            InspectionUnavailable: The photo could not be looked at.
        """

    def warm(self) -> None:
        """Do once what the first score would else wait for."""


class NsfwInspector:
    """An ``Inspector`` that remembers the score of each file: a photo that comes again is judged without the model.

    Args:
        classifier: Scores photos.
        policy: Judges the scores.
    """

    steps = ("inspect",)

    def __init__(self, classifier: Classifier, policy: NsfwPolicy) -> None:
        self._classifier = classifier
        self._policy = policy
        self._known = Scores(MOST_SCORES)

    @property
    def versions(self) -> Mapping[str, str]:
        """See ``Inspector``."""
        return {self._classifier.model.name: self._classifier.model.version}

    def inspect(self, shown: Shown, role: Inspected) -> Inspection | None:
        """See ``Inspector``.

        Raises:
            InspectionUnavailable: The photo could not be looked at.
        """
        if role is Inspected.RESULT and not self._policy.results:
            return None
        model = self._classifier.model
        score = self._score(shown, (shown.digest, model.name, model.version))
        return Inspection(role, CHECK, model.name, model.version, score, self._policy.judge(score))

    def warm(self) -> None:
        """See ``Inspector``."""
        self._classifier.warm()

    def _score(self, shown: Shown, key: Hashable) -> float:
        if not shown.digest:
            return self._classifier.score(shown)
        known = self._known.get(key)
        if known is None:
            known = self._classifier.score(shown)
            self._known.put(key, known)
        return known


class Scores:
    """Remembers the scores of the files seen last. Safe from several threads.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._scores: OrderedDict[Hashable, float] = OrderedDict()

    def get(self, key: Hashable) -> float | None:
        """The score; none where it is not known."""
        with self._lock:
            if key in self._scores:
                self._scores.move_to_end(key)
            return self._scores.get(key)

    def put(self, key: Hashable, score: float) -> None:
        """Remember a score; the one that was asked for longest ago may go."""
        with self._lock:
            self._scores[key] = score
            while len(self._scores) > self._most:
                self._scores.popitem(last=False)
