"""Lends runs the engine to use, together with the model versions that it has loaded.

A run leases its engine before it claims its task: the versions written into the record at the claim are then those
that run, even where the process loads another engine meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from facefleet.engine.fusion import Engine


@dataclass(frozen=True, slots=True)
class EngineLease:
    """An engine as one run uses it.

    Attributes:
        engine: Warmed.
        models: Name → version of what it has loaded.
    """

    engine: Engine
    models: Mapping[str, str]


class EngineProvider(Protocol):
    """Decides which engine a new run uses. Called from several threads."""

    def lease(self) -> EngineLease:
        """The engine for a run that begins now; the run keeps it, whatever is lent to later ones."""
        ...


class FixedEngine:
    """Lends the one engine of a process to every run."""

    def __init__(self, engine: Engine) -> None:
        self._lease = EngineLease(engine, engine.versions)

    def lease(self) -> EngineLease:
        """See ``EngineProvider``."""
        return self._lease
