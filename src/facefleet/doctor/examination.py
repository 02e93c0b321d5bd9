"""Runs checks side by side, each within its time limit; a check that breaks or hangs becomes a finding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Thread

from facefleet.doctor.report import Finding, State
from facefleet.errors.base import FacefleetError

LIMIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: Of its finding where it breaks or hangs.
        look: Returns its findings.
        seconds: s that it may take.
        line: The line of the contract that is broken where it breaks or hangs; empty where there is none.
        wanted: What that line asks for.
        advice: What to do then.
        otherwise: The state then.
    """

    name: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = LIMIT_SECONDS
    line: str = ""
    wanted: str = ""
    advice: str = ""
    otherwise: State = State.BROKEN


def examine(checks: Sequence[Check], clock: Callable[[], float] = time.monotonic) -> list[Finding]:
    """The findings of all checks, in their order.

    Args:
        checks: Each runs on a thread of its own, which does not keep the program alive.
        clock: s, monotonic.
    """
    began = clock()
    running = [_Running(check) for check in checks]
    return [finding for one in running for finding in one.findings(began + one.check.seconds - clock())]


class _Running:
    """A check on its thread."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self._found: list[Finding] | None = None
        self._thread = Thread(target=self._run, name=f"doctor-{check.name}", daemon=True)
        self._thread.start()

    def findings(self, seconds: float) -> list[Finding]:
        self._thread.join(max(0.0, seconds))
        if self._found is not None:
            return self._found
        return [self._failed(f"no answer within {self.check.seconds:g} s")]

    def _run(self) -> None:
        try:
            self._found = list(self.check.look())
        except ModuleNotFoundError as error:
            self._found = [self._not_installed(error.name or "a package")]
        except ImportError as error:
            self._found = [self._failed(str(error))]
        except FacefleetError as error:
            cause = f" ({error.detail['cause']})" if "cause" in error.detail else ""
            self._found = [self._failed(f"{error.message}{cause}")]
        except OSError as error:
            self._found = [self._failed(f"{type(error).__name__}: {error.strerror or 'no reason given'}")]
        except Exception as error:  # noqa: BLE001 - whatever it is, the other checks go on
            self._found = [self._failed(type(error).__name__)]  # its message could quote an address with its password

    def _not_installed(self, package: str) -> Finding:
        finding = self._failed(f"{package} is not installed")
        return finding if self.check.line else replace(finding, state=State.SKIPPED, advice="")

    def _failed(self, found: str) -> Finding:
        check = self.check
        return Finding(check.name, check.otherwise, found, check.advice, check.line, check.wanted)
