"""Verifies the audit log: recomputes the whole chain of seals, and says which entry or seal is not as it was sealed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from facefleet.tasks.audit import Action, Entry
from facefleet.tasks.seals import GENESIS, Seal, Seals

MOST_FAULTS = 1_000  # that one verification lists
PASS_ENTRIES, PASS_SEALS = 2_000, 50  # after which a pass ends
LATE = timedelta(minutes=5)  # an entry may be this much older than a seal that it missed


class Fault(StrEnum):
    """What is wrong."""

    EDITED = "edited"
    REMOVED = "removed"
    INSERTED = "inserted"
    SEAL_EDITED = "seal_edited"
    SEAL_MISSING = "seal_missing"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was.

    Attributes:
        seal: Number of the seal, where it is about one.
        entry: Id of the entry, where it is about one.
    """

    fault: Fault
    message: str
    seal: int | None = None
    entry: str | None = None


@dataclass(slots=True)
class Verification:
    """The outcome.

    Attributes:
        seals: That were looked at.
        entries: That were looked at, in seals.
        unsealed: Entries that are in no seal yet; about them nothing can be said.
        expired_through: Number of the last seal whose entries retention has removed; 0: none.
        head: Hash of the last seal; none: there is none.
        late: Ids of entries, at most ``MOST_FAULTS``, that are more than ``LATE`` older than a seal that they missed:
            their transaction or the clock of their gateway was slow, or somebody has added them by hand.
        findings: At most ``MOST_FAULTS``.
    """

    seals: int = 0
    entries: int = 0
    unsealed: int = 0
    expired_through: int = 0
    head: str | None = None
    late: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether everything is as it was sealed."""
        return not self.findings


def verify(seals: Seals, known: str | None = None) -> Verification:
    """Verify the whole log.

    Args:
        seals: The chain.
        known: Hash of a seal that was made, from the log of a gateway; without it a chain that was cut off at its end,
            or made anew, cannot be told from a whole one.

    Raises:
        RecordsUnavailable: The database does not answer.
    """
    return _Verifier(seals, known).run()


def verify_some(seals: Seals, after: int) -> tuple[int, list[Finding]]:
    """Verify a few seals, so that a gateway gets round the whole log in time.

    Args:
        seals: The chain.
        after: Number of the seal where the last pass ended; 0 to begin.

    Returns:
        The number of the last seal of this pass, 0 where it came to the end; and what it found.

    Raises:
        RecordsUnavailable: The database does not answer.
    """
    return _Verifier(seals, None).run_after(seals.get(after) if after else None)


class _Verifier:
    """One verification; it holds one seal with its entries in memory."""

    def __init__(self, seals: Seals, known: str | None) -> None:
        self._seals = seals
        self._known = known
        self._found = Verification()
        self._previous: Seal | None = None
        self._expired: list[Seal] = []
        self._said_expired = 0
        self._missing: list[int] = []

    def run(self) -> Verification:
        known_is_there = self._known is None
        for seal in self._seals.chain():
            self._check(seal)
            known_is_there = known_is_there or self._known == seal.hash
        self._check_unsealed()
        self._check_expired()
        self._check_strays()
        self._found.head = self._previous.hash if self._previous else None
        if not known_is_there:
            self._add(Fault.TRUNCATED, f"There is no seal {self._known}: the end of the log is gone, or it is another.")
        return self._found

    def run_after(self, before: Seal | None) -> tuple[int, list[Finding]]:
        self._previous = before
        for seal in self._seals.chain(before.number if before else None):
            self._check(seal)
            if self._found.entries >= PASS_ENTRIES or self._found.seals >= PASS_SEALS:
                return seal.number, self._found.findings
        return 0, self._found.findings

    def _check(self, seal: Seal) -> None:
        self._check_link(seal)
        self._check_content(seal)
        self._found.seals += 1
        self._previous = seal

    def _check_link(self, seal: Seal) -> None:
        before = self._previous
        expected = before.number + 1 if before else 1
        for number in range(expected, min(seal.number, expected + MOST_FAULTS)):
            self._missing.append(number)
            self._add(Fault.SEAL_MISSING, f"Seal {number} is gone.", seal=number)
        if seal.number == expected and seal.previous != (before.hash if before else GENESIS):
            self._add(Fault.SEAL_EDITED, f"Seal {seal.number} does not follow the seal before it.", seal=seal.number)
        if seal.computed_hash() != seal.hash:
            self._add(Fault.SEAL_EDITED, f"Seal {seal.number} does not have the hash of its content.", seal=seal.number)

    def _check_content(self, seal: Seal) -> None:
        if seal.removed_at is not None:
            self._expired.append(seal)
            return
        if seal.computed_content() != seal.content:
            self._add(Fault.SEAL_EDITED, f"The digests of seal {seal.number} were changed.", seal=seal.number)
        findings: list[Finding] = []
        digests, count = _digests(seal), 0
        for entry in self._seals.entries(seal.number):
            count += 1
            findings += self._check_entry(entry, seal, digests)
        findings += [Finding(Fault.REMOVED, f"Entry {one} is gone.", seal.number, one) for one in digests]
        if findings and self._expired_meanwhile(seal):
            return
        self._found.entries += count
        for finding in findings:
            self._add(finding.fault, finding.message, finding.seal, finding.entry)

    def _check_entry(self, entry: Entry, seal: Seal, digests: dict[str, str]) -> Iterator[Finding]:
        digest = digests.pop(entry.id, None)
        if digest is None:
            yield Finding(Fault.INSERTED, f"Entry {entry.id} was not there when it was sealed.", seal.number, entry.id)
        elif digest != entry.digest():
            yield Finding(Fault.EDITED, f"Entry {entry.id} was changed.", seal.number, entry.id)
        else:
            self._note(entry)

    def _note(self, entry: Entry) -> None:
        """Note what a sound entry says about others."""
        self._note_expiry(entry)
        before = self._previous
        late = before is not None and entry.id < before.last and entry.at < _earlier(before.sealed_at)
        if late and len(self._found.late) < MOST_FAULTS:
            self._found.late.append(entry.id)

    def _note_expiry(self, entry: Entry) -> None:
        if entry.action == Action.AUDIT_EXPIRE and entry.object and entry.object.isdecimal():
            self._said_expired = max(self._said_expired, int(entry.object))

    def _expired_meanwhile(self, seal: Seal) -> bool:
        now = self._seals.get(seal.number)
        if now is None or now.removed_at is None:
            return False
        self._expired.append(now)
        return True

    def _check_unsealed(self) -> None:
        for entry in self._seals.unsealed():
            self._found.unsealed += 1
            self._note_expiry(entry)

    def _check_expired(self) -> None:
        """Retention removes the oldest seals' entries, without a gap, and says so."""
        for place, seal in enumerate(self._expired, start=1):
            if seal.number > self._said_expired or seal.number != place:
                self._add(
                    Fault.REMOVED, f"The entries of seal {seal.number} are gone, and not by retention.", seal.number
                )
            else:
                self._found.expired_through = seal.number

    def _check_strays(self) -> None:
        last = self._previous.number if self._previous else 0
        for entry_id, number in self._seals.strays(self._found.expired_through, self._missing[:MOST_FAULTS], last):
            self._add(Fault.INSERTED, f"Entry {entry_id} names seal {number}, which is not there.", number, entry_id)

    def _add(self, fault: Fault, message: str, seal: int | None = None, entry: str | None = None) -> None:
        if len(self._found.findings) < MOST_FAULTS:
            self._found.findings.append(Finding(fault, message, seal, entry))


def _digests(seal: Seal) -> dict[str, str]:
    """Id → digest; what is no line of a seal is left out, since its content is not what was sealed."""
    lines = (line.split(" ") for line in seal.digests.splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def _earlier(sealed_at: str) -> str:
    """``LATE`` before a time; the empty text, before which there is none, where it is no time."""
    try:
        return (datetime.fromisoformat(sealed_at) - LATE).replace(tzinfo=None).isoformat(timespec="milliseconds")
    except ValueError:
        return ""
