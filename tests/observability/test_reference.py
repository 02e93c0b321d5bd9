"""The reference names every event that the code logs, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference" / "metrics-and-logs.md"
LEVELS = {"info", "warning", "error", "exception"}

# Where an event's name is put together: file → prefix, and the calls that name the rest with which argument.
COMPOSED = {
    "upkeep/sweeper.py": ("sweep.", {"_count": 0, "_send": 0}),
    "gateway/routes/operator.py": ("operator.", {"change": 1}),
}


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def constant(call: ast.Call, position: int) -> str | None:
    argument = call.args[position] if len(call.args) > position else None
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


def logged() -> Iterator[str]:
    source = ROOT / "src" / "facefleet"
    for path in source.rglob("*.py"):
        prefix, composed = COMPOSED.get(path.relative_to(source).as_posix(), ("", {}))
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        for call in calls:
            owner = ast.unparse(call.func).rpartition(".")[0]
            if name_of(call) in LEVELS and (owner == "_log" or owner.startswith("logger(")):
                assert prefix or constant(call, 0), f"{path}:{call.lineno}: an event without a name of its own"
                if event := constant(call, 0):
                    yield event
            elif name_of(call) == "round_of":
                yield from events_of_round(path, call)
            elif name_of(call) in composed and (rest := constant(call, composed[name_of(call)])):
                yield prefix + rest


def events_of_round(path: Path, call: ast.Call) -> Iterator[str]:
    events = {keyword.arg: keyword.value for keyword in call.keywords}
    for name in ("interrupted", "failed"):
        event = events.get(name)
        assert isinstance(event, ast.Constant), f"{path}:{call.lineno}: an event without a name of its own"
        yield str(event.value)


def documented() -> set[str]:
    table = REFERENCE.read_text().partition("## Logs")[2]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([a-z_.]+)`", cell)}


def test_every_event_is_documented_and_no_other() -> None:
    found = set(logged())
    assert len(found) > 40, "the search finds what it looks for"
    assert documented() == found
